// SPDX-License-Identifier: Apache-2.0
import Basics
import Fixtures
import Foundation
import Testing

@testable import MemoryImage

/// Two readers of one format: the one in Swift, and one in Python that was written from docs/image-format.md alone. Both find
/// the same in an image, or both refuse it.
@Suite struct SecondReaderTests {
    // MARK: Sound images

    /// Images of every version of the format that there ever was.
    @Test(arguments: GoldenFiles.names) func readsGoldenImage(file: String) throws {
        try expectSame(golden(file))
    }

    /// A new image, with runs of every kind, chunks that do not compress, several index blocks and every field of the
    /// description.
    @Test(arguments: [Codec.none, .lz4, .zstd(level: 1), .zstd(level: 19), .xz(level: 0), .xz(level: 9)])
    func readsNewImage(codec: Codec) throws {
        let file = try newImage(codec)
        let shown = try expectSame(file)
        #expect(shown.superblock.codec == codec.description.split(separator: ":").first.map { String($0) })
        #expect(shown.counts.chunks == 6 && shown.description?.watchedDevices?.count == 2)
        let kinds = try SecondReader.runs(file).map { $0.kind }
        #expect(Set(kinds) == ["data", "zero", "free"])
    }

    @Test func readsImageWithoutMemoryRanges() throws {
        let file = try PartitionFile()
        try MemoryFixture(pageCount: 700).write(to: file.formatted(), .zstd(level: 3))
        try expectSame(file)
    }

    /// A session that goes on may have erased its image: there is nothing to describe any more.
    @Test func readsErasedImage() throws {
        let file = try newImage(.lz4)
        let partition = try HibernationPartition(file.path, .write)
        try partition.update { $0.state = .consumed }
        #expect(try expectSame(file).description != nil)
        #expect(try partition.eraseContents() != nil)
        let shown = try SecondReader.show(file)
        expectSame(shown, try HibernationPartition(file.path).superblock)
        #expect(shown.superblock.state == "consumed" && shown.description == nil)
        #expect(try SecondReader.refusal(file) == "image: there is no complete one (state consumed)\n")
    }

    @Test func readsBootFiles() throws {
        let file = try PartitionFile()
        try HibernationPartition.format(
            file.path, label: "", uuid: PartitionFile.uuid, bootAreaByteCount: 4 << 20, [])
        let partition = try HibernationPartition(file.path, .write)
        for size in [100, 5000] {
            let files = BootFiles(
                kernel: [UInt8](repeating: 3, count: size), initrd: [UInt8](repeating: 4, count: 2 * size),
                parameters: "mem=\(size)M")
            #expect(try partition.store(files))
            let shown = try #require(try SecondReader.show(file).bootFiles)
            #expect(shown.kernel.size == size && shown.initrd.size == 2 * size && shown.parameters == "mem=\(size)M")
        }
        try MemoryFixture(pageCount: 300).write(to: partition, .lz4)
        try expectSame(file)
        try file.change(at: partition.superblock.bootFilesExtent.offset + 4096) { $0 ^= 1 }
        let damaged = try SecondReader.run("show", file.path)
        #expect(damaged.status == 1 && damaged.errors.contains("boot files, kernel: its checksum is wrong"))
        #expect(throws: Failure.self) { try partition.readBootFiles() }
    }

    @Test func exitStatusesAreThoseOfACommand() throws {
        let missing = try SecondReader.run("show", "/nowhere")
        #expect(missing.status == 1 && missing.errors == "torpor_image: /nowhere: No such file or directory\n")
        #expect(try SecondReader.run("write", "/nowhere").status == 2)
        let zeros = try PartitionFile(4 << 20)
        #expect(try SecondReader.refusal(zeros)?.contains("this is no hibernation partition") == true)
    }

    // MARK: Damage and forgery

    /// Damage that nobody has signed for, at each level of the chain of checksums.
    @Test(arguments: [Codec.none, .lz4, .zstd(level: 1), .xz(level: 0)])
    func refusesDamage(codec: Codec) throws {
        let file = try newImage(codec)
        let superblock = try HibernationPartition(file.path).superblock
        let entry = try #require(try ImageReader(HibernationPartition(file.path)).entries().first)
        let header = try header(of: entry, file.bytes)
        let extents = [("description", superblock.descriptionExtent), ("index table", superblock.indexExtent)]
        var places = extents.flatMap { name, extent in
            [
                ("\(name), magic", extent.offset), ("\(name), last byte", extent.offset + extent.byteCount - 1),
                ("\(name), padding", extent.offset + extent.byteCount),
            ]
        }
        let headerEnd = entry.offset + UInt64(ChunkHeader.byteCount(runs: header.runs.count))
        let payload = entry.offset + UInt64(header.payloadOffset)
        places += [
            ("slot 0, magic", 0), ("slot that counts", slot(of: superblock) + 200), ("chunk, magic", entry.offset),
            ("chunk, sequence number", entry.offset + 24), ("chunk, checksum", entry.offset + 112),
            ("chunk, last run", headerEnd - 4), ("payload", payload + UInt64(header.payloadByteCount / 2)),
        ]
        if header.payloadOffset > Int(headerEnd - entry.offset) { places.append(("header, padding", headerEnd)) }
        if codec != .none { places.append(("payload, padding", entry.offset + UInt64(entry.byteCount) - 1)) }
        for (name, place) in places {
            try file.change(at: place) { $0 ^= 0x10 }
            try expectRefused(file, name)
            try file.change(at: place) { $0 ^= 0x10 }
        }
        try expectSame(file)
    }

    /// Wrong values whose checksums are right.
    @Test(arguments: Forgery.all) func refusesForgery(forgery: Forgery) throws {
        try expectRefused(smallImage(forgery.make), forgery.description)
    }

    /// Bits anywhere on the partition: what one reader refuses, the other one does as well.
    @Test func agreesOnFlippedBits() throws {
        let file = try newImage(.zstd(level: 1))
        let used = try HibernationPartition(file.path).superblock.counts.storedBytes
        let whole = try runs(file)
        var random = SameNumbers()
        var refusals = 0
        // Superblocks, chunks, then the description, the last index block and the table.
        let regions = [0..<1, 16..<17, 256..<used / 4096, used / 4096 - 3..<used / 4096]
        for number in 0..<48 {
            let blocks = regions[number % regions.count]
            let place = UInt64.random(in: blocks.lowerBound * 4096..<blocks.upperBound * 4096, using: &random)
            let bit = UInt8(1) << UInt8.random(in: 0..<8, using: &random)
            try file.change(at: place) { $0 ^= bit }
            if let found = try? runs(file) {
                #expect(found == whole, "bit \(bit) of byte \(place)")
                #expect(try SecondReader.runs(file) == whole, "bit \(bit) of byte \(place)")
            } else {
                refusals += 1
                #expect(try SecondReader.refusal(file) != nil, "bit \(bit) of byte \(place)")
            }
            try file.change(at: place) { $0 ^= bit }
        }
        #expect(refusals > 0)
    }

    // MARK: Growth of the format

    /// Whoever does not know a version or a feature leaves the partition alone, also if the other slot is the newer one.
    @Test(arguments: [(8, 3), (8, 0), (240, 3)]) func refusesUnknownVersionsAndFeatures(offset: Int, value: Int) throws
    {
        let file = try newImage(.lz4)
        let superblock = try HibernationPartition(file.path).superblock
        let other = Int(Superblock.slotOffsets[0] + Superblock.slotOffsets[1] - slot(of: superblock))
        var block = Array(try file.bytes[other..<other + Superblock.byteCount])
        block[offset] = UInt8(value)
        // Without its checksum, the slot is only damaged.
        try file.put(block, at: other)
        try expectSame(file)
        block.put(xxh64(block, count: Superblock.byteCount - 8), at: Superblock.byteCount - 8)
        try file.put(block, at: other)
        try expectRefused(file, "value \(value) at \(offset)")
    }

    /// Fields with numbers that nobody knows are passed over; fields that are known are read with bit 31 as well.
    @Test func passesOverUnknownFields() throws {
        let unknown = try smallImage { $0.changeDescription { $0.put(UInt32(4711), at: 8) } }
        #expect(try expectSame(unknown).description?.session == nil)
        let mandatory = try smallImage { $0.changeDescription { $0.put(UInt32(1) | 1 << 31, at: 8) } }
        #expect(try expectSame(mandatory).description?.session == Basics.UUID.zero.description)
    }

    /// Version 1 had neither of the fields: what is there means nothing.
    @Test(arguments: [240, 512]) func passesOverWhatVersionOneLacks(offset: Int) throws {
        let file = try golden("v1-zstd")
        let place = Int(slot(of: try HibernationPartition(file.path).superblock))
        var block = Array(try file.bytes[place..<place + Superblock.byteCount])
        block[offset] = 0xff
        block.put(xxh64(block, count: Superblock.byteCount - 8), at: Superblock.byteCount - 8)
        try file.put(block, at: place)
        try expectSame(file)
    }

    // MARK: Images

    private func golden(_ name: String) throws -> PartitionFile {
        let file = try PartitionFile(0), errors = try PartitionFile(0)
        let packed = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Golden/\(name).img.gz")
        #expect(try SecondReader.run(["gzip", "-dc", packed.path], into: file, errors: errors) == 0)
        return file
    }

    private func newImage(_ codec: Codec) throws -> PartitionFile {
        let golden = try #require(GoldenImage("zstd", version: Superblock.version))
        let file = try PartitionFile(8 << 20)
        let partition = try file.formatted()
        let uuid = MemoryFixture.imageUUID
        let writer = try ImageWriter(
            partition, imageUUID: uuid, codec: codec, index: IndexWriter(partition, imageUUID: uuid, capacity: 3))
        let builder = try writer.makeChunkBuilder()
        for frame in golden.frames.joined() {
            if frame % 128 == 0 || golden.isNoise(frame) != golden.isNoise(frame - 1) { try builder.flush() }
            switch golden.kind(of: frame) {
            case .zero: try builder.addZeros(firstFrame: frame, count: 1)
            case .free: try builder.addFreePages(firstFrame: frame, count: 1)
            case .data:
                try golden.contents(of: frame).withUnsafeBytes { try builder.addData(firstFrame: frame, $0) }
            }
        }
        try builder.flush()
        var description = golden.description
        description.machine.hotPluggedRanges = [0x1000_0000..<0x1006_5000]
        description.machine.microcodeRevision = 0xf4
        description.watchedDevices = [
            WatchedDevice(
                user: "the ext4 on /", identity: "PARTUUID=1", byteCount: 1 << 30, extents: [0..<4096, 8192..<1 << 20],
                fingerprints: [.init(byteCount: 1 << 30, checksum: .max), .init(byteCount: 1 << 30, checksum: 1)]),
            WatchedDevice(user: "née", identity: "/dev/sdb", byteCount: 512, extents: [], walk: .places),
        ]
        try writer.finish(description, state: .ready) { 77 }
        return file
    }

    /// The small image's partition, written once.
    private static let smallImage = Result {
        let file = try PartitionFile(0)
        try SmallImage.write(to: file.path)
        return (bytes: try file.bytes, superblock: try HibernationPartition(file.path).superblock)
    }

    /// The small image with a change.
    private func smallImage(_ change: (ForgedImage) throws -> Void) throws -> PartitionFile {
        let file = try PartitionFile(0), small = try Self.smallImage.get()
        let image = ForgedImage(bytes: small.bytes, small.superblock)
        try change(image)
        try image.write(to: file.path)
        return file
    }

    /// The offset of the slot that counts: they are written in turn, and generation 1 went into the first.
    private func slot(of superblock: Superblock) -> UInt64 {
        Superblock.slotOffsets[Int((superblock.generation - 1) % 2)]
    }
}

/// Numbers that are the same in every run.
private struct SameNumbers: RandomNumberGenerator {
    private var state: UInt64 = 7

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state >> 32 | state << 32
    }
}
