// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockStore
import Foundation
import Linux
import Testing

@testable import Hibernation
@testable import MemoryImage

/// What `torpor format` takes without --force: an empty device, and an unused hibernation partition.
@Suite struct FormattingTests {
    private let folder: TemporaryFolder
    private let path: String
    private static let size = 16 << 20

    init() throws {
        folder = try TemporaryFolder()
        path = folder.path("disk")
        try Data(count: Self.size).write(to: URL(filePath: path))
    }

    private func put(_ bytes: [UInt8], at offset: Int) throws {
        let file = try #require(FileHandle(forUpdatingAtPath: path))
        try file.seek(toOffset: UInt64(offset))
        try file.write(contentsOf: Data(bytes))
        try file.close()
    }

    private var content: Data { get throws { try Data(contentsOf: URL(filePath: path)) } }

    private func format(isForced: Bool = false) throws -> Superblock {
        try Formatting(path, label: "", isForced: isForced).perform()
    }

    private func expectRefusal(_ reason: String, _ comment: Comment? = nil) throws {
        let before = try content
        let failure = #expect(throws: Failure.self, comment) { try format() }
        #expect(
            failure?.description == "format \(path): \(reason); if that may be lost, use --force", comment)
        #expect(try content == before, comment)
        #expect(try format(isForced: true).state == .empty, comment)
        #expect(try format().state == .empty, "unused, and formatted again")
    }

    @Test(arguments: [0, 0xff] as [UInt8]) func formatsAnEmptyDevice(byte: UInt8) throws {
        try put([UInt8](repeating: byte, count: Self.size), at: 0)
        #expect(try format().deviceByteCount == UInt64(Self.size))
    }

    /// At both ends, and at the places between that are looked at, a bit is enough.
    @Test(
        arguments: [
            0, 5, 1 << 20 - 1, Self.size - 1, Self.size - (1 << 20), (Self.size - 4096) / 256 * 128 + 7,
            (Self.size - 4096) / 256 * 200 + 4095,
        ])
    func refusesDataOfAnUnknownKind(offset: Int) throws {
        try put([0x40], at: offset)
        try expectRefusal("it holds data of an unknown kind", "\(offset)")
    }

    /// The second slot alone is no hibernation partition, but somebody's data.
    @Test func refusesDataBehindTheMagic() throws {
        _ = try format()
        try HibernationPartition(path, .write).update { $0.state = .empty }
        try put([UInt8](repeating: 0, count: 4096), at: 0)
        try expectRefusal("it holds data of an unknown kind")
    }

    @Test func refusesOtherContent() throws {
        _ = try format()
        var swap = [UInt8](repeating: 0, count: 4096)
        swap.put(UInt32(1), at: 1024)
        swap.put(UInt32(Self.size / 4096 - 1), at: 1028)
        swap.put(Array("SWAPSPACE2".utf8), at: 4086, limit: 10)
        try put(swap, at: 0)
        try expectRefusal("it holds swap")
    }

    @Test(
        arguments: [
            (.saving, "an incomplete image"), (.ready, "a saved session, ready to resume"),
            (.attempted, "a session whose last resume failed"), (.consumed, "an image that was already resumed"),
            (.failed, "an image of a hibernation that failed"), (.snapshot, "a snapshot"),
        ] as [(Superblock.State, String)])
    func refusesImagesAndTheirRemains(state: Superblock.State, phrase: String) throws {
        _ = try format()
        let partition = try HibernationPartition(path, .write)
        let page = [UInt8](repeating: 0x55, count: 4096)
        let writer = try ImageWriter(
            partition, imageUUID: UUID(bytes: page.suffix(16)) ?? .zero, codec: .none)
        let builder = try writer.makeChunkBuilder()
        try page.withUnsafeBytes { try builder.addData(firstFrame: 0x8000, $0) }
        try builder.flush()
        if state != .saving {
            try writer.finish(ImageDescription(), state: .ready) { 1 }
            try partition.update { $0.state = state }
        }
        #expect(try content[(1 << 20)...].contains { $0 == 0x55 })
        try expectRefusal("it is a hibernation partition with \(phrase)", "\(state)")
        #expect(try content[(1 << 20)...].allSatisfy { $0 == 0 }, "contents of the image are left")
    }

    @Test(arguments: [Superblock.State.consumed, .failed]) func formatsOnceTheContentsAreErased(
        state: Superblock.State
    ) throws {
        _ = try format()
        try HibernationPartition(path, .write).update { $0.state = state }
        #expect(try format().state == .empty)
    }

    /// Partitions that are ours although they cannot be used.
    @Test(arguments: ["damaged", "later", "shrunk", "encrypted"]) func refusesUnusablePartitionsOfOurs(how: String)
        throws
    {
        let superblock = try format()
        var block = superblock.encoded()
        var reason = ""
        switch how {
        case "damaged":
            block[700] ^= 1
            reason = "both its superblocks are damaged"
        case "later":
            block.put(UInt32(77), at: 8)
            block.put(xxh64(block, count: 4088), at: 4088)
            reason = "its format has version 77, this torpor knows \(Superblock.version)"
        case "shrunk":
            let file = try #require(FileHandle(forUpdatingAtPath: path))
            try file.truncate(atOffset: 12 << 20)
            reason = "it has 12.0 MiB, but 16.0 MiB when it was formatted"
        default:
            var other = superblock
            other.cipher = 3
            block = other.encoded()
            reason = "its image is encrypted"
        }
        try put(block, at: 0)
        try expectRefusal("it is a hibernation partition: \(reason)", "\(how)")
    }

    /// Nothing but --force takes it, and nothing else would find the image again.
    @Test(arguments: ["damaged", "later", "shrunk", "encrypted", "mbr"]) func erasesTheContentsOfAnUnusablePartition(
        how: String
    ) throws {
        _ = try format()
        let page = [UInt8](repeating: 0x55, count: 4096)
        for place in [1 << 20, 6 << 20, 11 << 20 - 4096] { try put(page, at: place) }
        var superblock = try HibernationPartition(path).superblock
        superblock.state = .ready
        var block = superblock.encoded()
        switch how {
        case "damaged": block[700] ^= 1
        case "later":
            block.put(UInt32(77), at: 8)
            block.put(xxh64(block, count: 4088), at: 4088)
        case "shrunk":
            let file = try #require(FileHandle(forUpdatingAtPath: path))
            try file.truncate(atOffset: 12 << 20)
        case "encrypted":
            superblock.cipher = 3
            block = superblock.encoded()
        default:
            // A partition table, which leaves the magic where it is.
            block[446 + 4] = 0x83
            block.put(UInt32(2048), at: 446 + 8)
            block.put(UInt32(4096), at: 446 + 12)
            block.put(UInt16(0xaa55), at: 510)
        }
        try put(block, at: 0)
        if how == "mbr" { try #require(try probeContent(path).type == "dos partition table", "the fixture") }
        let formatted = try format(isForced: true)
        #expect(formatted.state == .empty && formatted.isUnused)
        #expect(try content[(1 << 20)...].allSatisfy { $0 == 0 }, "\(how)")
        #expect(try format().isUnused)
    }

    /// If it is cut short, the partition says that something is left.
    @Test func warnsOfContentsUntilTheyAreErased() throws {
        let uuid = Basics.UUID("01234567-89ab-4cde-8f01-23456789abcd") ?? .zero
        try HibernationPartition.format(path, label: "", uuid: uuid, mayHideImage: true, [])
        try put([0x55], at: 5 << 20)
        let partition = try HibernationPartition(path, .write)
        #expect(partition.superblock.contentsEnd == UInt64(Self.size) && !partition.superblock.isUnused)
        #expect(try partition.eraseContents() != nil)
        #expect(try content[5 << 20] == 0 && HibernationPartition(path).superblock.isUnused)
    }

    // MARK: After the jump

    /// What kernel A erases when it goes on, by what became of the image.
    @Test(
        arguments: [
            (.saving, .failed, true), (.consumed, .consumed, true), (.failed, .failed, true),
            (.ready, .ready, false), (.attempted, .attempted, false), (.snapshot, .snapshot, false),
        ] as [(Superblock.State, Superblock.State, Bool)])
    func erasesAFinishedImage(before: Superblock.State, after: Superblock.State, isErased: Bool) throws {
        _ = try format()
        let partition = try HibernationPartition(path, .write)
        let page = [UInt8](repeating: 0x55, count: 4096)
        let writer = try ImageWriter(partition, imageUUID: .zero, codec: .none)
        let builder = try writer.makeChunkBuilder()
        try page.withUnsafeBytes { try builder.addData(firstFrame: 0x8000, $0) }
        try builder.flush()
        if before != .saving {
            try writer.finish(ImageDescription(), state: .ready) { 1 }
            try partition.update { $0.state = before }
        }
        var report = Report()
        report.device = path
        #expect(try (Hibernate.eraseImage(after: report) { _, _ in } != nil) == isErased)
        #expect(try content[(1 << 20)...].contains { $0 == 0x55 } == !isErased)
        #expect(try HibernationPartition(path).superblock.state == after)
    }

    /// Kernel B's child was ended in the middle of an image: kernel B knows how far it can have come, and only that is erased.
    @Test(arguments: [true, false]) func erasesAsFarAsKernelBWrote(isKnown: Bool) throws {
        _ = try format()
        let partition = try HibernationPartition(path, .write)
        let page = [UInt8](repeating: 0x55, count: 4096)
        let state = try ChildState()
        let writer = try ImageWriter(partition, imageUUID: .zero, codec: .none) { state.note(contentsEnd: $0) }
        #expect(state.contentsEnd == 1 << 20, "nothing was written yet")
        let builder = try writer.makeChunkBuilder()
        try page.withUnsafeBytes { try builder.addData(firstFrame: 0x8000, $0) }
        try builder.flush()
        #expect(state.contentsEnd > 1 << 20 && state.contentsEnd <= 1 << 20 + 8192)
        let other = [UInt8](repeating: 0x66, count: 4096)
        try other.withUnsafeBytes { try File(path, .write).write($0, at: 3 << 20) }
        var report = Report()
        report.device = path
        report.contentsEnd = isKnown ? state.contentsEnd : 0
        report.text = isKnown ? "a person gave up the save" : ""
        #expect(try Hibernate.eraseImage(after: report) { _, _ in } != nil)
        #expect(try !content[(1 << 20)...].contains { $0 == 0x55 })
        #expect(try content[3 << 20] == (isKnown ? 0x66 : 0))
        let superblock = try HibernationPartition(path).superblock
        #expect(superblock.state == .failed && superblock.contentsEnd == 0)
        #expect(superblock.reason == (isKnown ? "a person gave up the save" : "kernel B did not complete it"))
    }
}
