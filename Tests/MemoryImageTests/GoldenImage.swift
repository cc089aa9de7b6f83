// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

@testable import MemoryImage

/// What an image under Tests/Golden holds: known from its name and the version of its format alone, whatever wrote it.
///
/// Never change what is expected of a file that is there; add a new name instead (Tests/Golden/README.md).
struct GoldenImage: Sendable {
    let name: String
    /// The version of the format, from the file's name.
    let version: UInt32
    var codec = Codec.none
    var state = Superblock.State.ready
    var reason = ""

    /// What files are written of; the names that a later version adds stand behind the others.
    static let names = [
        "none", "lz4", "zstd", "xz", "full", "bare", "empty", "discarded", "saving", "failed", "blocks",
    ]

    /// nil for a name that nobody knows.
    init?(_ name: String, version: UInt32) {
        self.name = name
        self.version = version
        switch name {
        // "blocks", since version 2: an index of several blocks.
        case "none", "full", "bare", "blocks": break
        case "lz4":
            codec = .lz4
            state = .attempted
            reason = "the machine stopped — née"
        case "zstd":
            codec = .zstd(level: 3)
            state = .consumed
        case "xz":
            codec = .xz(level: 6)
            state = .snapshot
        case "empty", "discarded": state = .empty
        case "saving": state = .saving
        case "failed":
            codec = .zstd(level: -5)
            state = .failed
            reason = "write /dev/sdz9: No space left on device"
        default: return nil
        }
    }

    /// Whether the image is complete.
    var isComplete: Bool { ![.empty, .saving, .failed].contains(state) }

    static let byteCount: UInt64 = 4 << 20
    static let label = "golden née"
    static let uuid = UUID("01234567-89ab-4cde-8f01-23456789abcd") ?? .zero
    static let imageUUID = UUID("fedcba98-7654-4321-8fed-cba987654321") ?? .zero

    // MARK: Memory

    /// The page frame numbers of the image, ascending.
    var frames: [Range<UInt64>] {
        switch name {
        // All that the data area takes: in version 1 up to the partition's last block but a few.
        case "full": [0x8000..<0x8000 + (version == 1 ? 750 : 494)]
        default: [0x8000..<0x8000 + 320, 0x1_0000..<0x1_0000 + 101]
        }
    }

    func kind(of frame: UInt64) -> PageRun.Kind {
        if name == "full" { return .data }
        switch frame / 16 % 4 {
        case 0: return .zero
        case 3: return .free
        default: return .data
        }
    }

    /// Two pages that do not compress, in a chunk of their own.
    func isNoise(_ frame: UInt64) -> Bool { name == "zstd" && frame / 2 == 0x8012 / 2 }

    /// What a page of data holds: its own number, then lines that differ from page to page; or noise.
    func contents(of frame: UInt64) -> [UInt8] {
        var page = [UInt8](repeating: 0, count: Int(pageSize))
        page.put(frame, at: 0)
        var random = frame
        for i in 8..<page.count {
            if isNoise(frame) {
                random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                page[i] = UInt8(truncatingIfNeeded: random >> 56)
            } else {
                page[i] = UInt8(truncatingIfNeeded: UInt64(i / 64) &* (frame % 3 + 1)) | 1
            }
        }
        return page
    }

    func count(_ kind: PageRun.Kind) -> UInt64 {
        UInt64(frames.joined().filter { self.kind(of: $0) == kind }.count)
    }

    // MARK: Description

    /// The description as it was given to the writer; with every field that the version has.
    var description: ImageDescription {
        var description = ImageDescription()
        // The version that wrote version 2 first.
        description.writer = version == 1 ? "" : "0.2.0"
        guard name != "bare" else { return description }
        description.session = UUID("11111111-2222-4333-8444-555555555555") ?? .zero
        description.host = "höst"
        description.kernelRelease = "6.12.107-amd64"
        description.jumpBackEntry = 0x1234_5678
        description.machine.hasFiveLevelPaging = true
        description.machine.processorCount = 4
        description.machine.processorFeatures = [1, 2, .max]
        description.machine.acpiChecksum = 0x0123_4567_89ab_cdef
        description.backupRanges = [0x1000..<0x9000, 0x10_0000..<0x18_0000]
        description.memoryRanges =
            description.backupRanges + frames.map { $0.lowerBound * pageSize..<$0.upperBound * pageSize }
        description.machine.firmwareMap = [
            .init(addresses: 0..<0x9fc00, type: "System RAM"), .init(addresses: 0x9fc00..<0xa_0000, type: "Reserved"),
            .init(addresses: 5..<6, type: ""),
        ]
        description.backupSources = (0..<136).map { 0x8000 + $0 }
        description.vmcoreInfo = Array("OSRELEASE=6.12.107-amd64\nPAGESIZE=4096\n".utf8)
        description.reportAddress = 0x800_5000
        description.reportKey = (0..<32).map { $0 * 7 }
        description.partitionUUID = GoldenImage.uuid
        description.partitionGeneration = 1
        description.watchedAreas = [
            WatchedArea(
                user: "the ext4 on /", device: "PARTUUID=1", deviceByteCount: 1 << 30, bytes: 512..<1 << 20, checksum: 7
            ),
            WatchedArea(user: "", device: "/dev/sdb", deviceByteCount: 0, bytes: 0..<0),
        ]
        return description
    }

    // MARK: Writing

    /// Writes what the image is about onto an empty file, with the code as it is now.
    func write(to path: String) throws {
        try HibernationPartition.format(path, label: GoldenImage.label, uuid: GoldenImage.uuid, [])
        let partition = try HibernationPartition(path, .write)
        if name == "empty" { return }
        let index = IndexWriter(
            partition, imageUUID: GoldenImage.imageUUID, capacity: name == "blocks" ? 4 : IndexBlock.maximumEntries)
        let writer = try ImageWriter(partition, imageUUID: GoldenImage.imageUUID, codec: codec, index: index)
        try writePages(writer)
        if name == "saving" { return }
        if name == "failed" { return try writer.fail(reason) }
        try writer.finish(description, state: state == .snapshot ? .snapshot : .ready) { 1234 }
        switch name {
        case "lz4":
            try partition.retireImage {
                $0.state = .attempted
                $0.reason = reason
            }
        case "zstd":
            try partition.update { $0.state = .attempted }
            try partition.update { $0.state = .consumed }
        case "discarded": try partition.discardImage()
        default: break
        }
    }

    private func writePages(_ writer: ImageWriter) throws {
        let builders = try (0..<3).map { _ in try writer.makeChunkBuilder() }
        for frame in frames.joined() {
            let builder = isNoise(frame) ? builders[2] : builders[name == "full" ? 0 : Int(frame / 64 % 2)]
            switch kind(of: frame) {
            case .zero: try builder.addZeros(firstFrame: frame, count: 1)
            case .free: try builder.addFreePages(firstFrame: frame, count: 1)
            case .data:
                try contents(of: frame).withUnsafeBytes { try builder.addData(firstFrame: frame, $0) }
            }
            if name == "blocks", frame % 16 == 15 { try builder.flush() }
        }
        for builder in builders { try builder.flush() }
    }
}
