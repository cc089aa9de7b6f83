// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import MemoryImage

@Suite struct ImageTests {
    @Test(arguments: [Codec.none, .lz4, .zstd(level: 1), .zstd(level: -5), .zstd(level: 19), .xz(level: 0)])
    func givesBackEveryPage(codec: Codec) throws {
        let file = try PartitionFile()
        let memory = MemoryFixture()
        try memory.write(to: file.formatted(), codec)
        let partition = try HibernationPartition(file.path)
        let reader = try ImageReader(partition)
        #expect(try reader.collect() == memory.pages)
        #expect(reader.description.host == "fixture")
        #expect(partition.superblock.state == .ready)
        #expect(partition.superblock.codec == codec)
        #expect(partition.superblock.counts.zeroPages == 300)
        #expect(partition.superblock.counts.dataPages == 1200)
        #expect(partition.superblock.counts.chunks >= 5, "a chunk has at most 256 pages")
        try ImageReader(partition).verify()
    }

    @Test func keepsIncompressiblePagesAsTheyAre() throws {
        let file = try PartitionFile()
        var memory = MemoryFixture(pageCount: 200)
        memory.pages = memory.pages.filter { $0.value.contains { $0 != 0 } && Set($0.value).count > 200 }
        let partition = try file.formatted()
        try memory.write(to: partition, .zstd(level: 3))
        let blocks = UInt64(memory.pages.count) * 4096
        let stored = partition.superblock.counts.storedBytes - Superblock.dataOffset
        #expect(stored <= blocks + UInt64(3 * 3 * blockSize), "incompressible pages have grown")
        #expect(try ImageReader(HibernationPartition(file.path)).collect() == memory.pages)
    }

    /// Every byte of a small image that a resume reads is changed: each change is noticed.
    @Test func noticesEveryFlippedByte() throws {
        let file = try PartitionFile(4 << 20)
        var memory = MemoryFixture(pageCount: 12)
        for (frame, page) in memory.pages where Set(page).count > 200 { memory.pages[frame] = page.map { $0 & 3 } }
        try memory.write(to: file.formatted(), .zstd(level: 1))
        let partition = try HibernationPartition(file.path)
        let superblock = partition.superblock
        let end = superblock.counts.storedBytes
        #expect(end < Superblock.dataOffset + 64 << 10)
        let slot = Superblock.slotOffsets[Int((superblock.generation - 1) % 2)]
        let places = Array(Superblock.dataOffset..<end) + Array(stride(from: slot, to: slot + 4096, by: 13))
        var missed: [UInt64] = []
        for place in places {
            try file.change(at: place) { $0 ^= 0x04 }
            if (try? resumable(file)) == true { missed.append(place) }
            try file.change(at: place) { $0 ^= 0x04 }
        }
        #expect(missed == [])
        #expect(try resumable(file))
    }

    /// Whether kernel C would resume what is there.
    private func resumable(_ file: PartitionFile) throws -> Bool {
        let partition = try HibernationPartition(file.path)
        guard partition.superblock.state == .ready else { return false }
        try ImageReader(partition).verify()
        return true
    }

    @Test func refusesAChunkOfAnOlderImage() throws {
        let file = try PartitionFile()
        let memory = MemoryFixture(pageCount: 60)
        let partition = try file.formatted()
        try memory.write(to: partition, .none)
        let older = try file.bytes[Int(Superblock.dataOffset)..<Int(Superblock.dataOffset) + 8192]
        let other = try #require(UUID("bbbbbbbb-89ab-4cde-8f01-23456789abcd"))
        try memory.write(to: partition, .none, image: other)
        for (number, byte) in older.enumerated() {
            try file.change(at: Superblock.dataOffset + UInt64(number)) { $0 = byte }
        }
        let failure = #expect(throws: Failure.self) { try ImageReader(HibernationPartition(file.path)).verify() }
        #expect(failure?.description.contains("it belongs to another image") == true)
    }

    @Test func saysThatThePartitionIsFull() throws {
        let file = try PartitionFile(4 << 20)
        let memory = MemoryFixture()
        let partition = try file.formatted()
        let failure = #expect(throws: Failure.self) { try memory.write(to: partition, .none) }
        #expect(failure?.description.contains("the image does not fit into its 4.0 MiB") == true)
        #expect(try HibernationPartition(file.path).superblock.state == .saving)
        #expect(throws: Failure.self) { try ImageReader(HibernationPartition(file.path)) }
        #expect(try file.bytes.count == 4 << 20, "written beyond the end")
    }

    /// A crash before the last superblock leaves an image that is not ready.
    @Test func isNotReadyBeforeTheEnd() throws {
        let file = try PartitionFile()
        let partition = try file.formatted()
        let writer = try ImageWriter(
            partition, imageUUID: MemoryFixture.imageUUID, codec: .none)
        let builder = try writer.makeChunkBuilder()
        try builder.addZeros(firstFrame: 1, count: 5)
        try builder.flush()
        #expect(try HibernationPartition(file.path).superblock.state == .saving)
        try writer.fail("the disk is gone")
        let superblock = try HibernationPartition(file.path).superblock
        #expect(superblock.state == .failed)
        #expect(superblock.reason == "the disk is gone")
    }

    /// An image that fills the data area leaves the last MiB as it is.
    @Test func writesNothingIntoTheLastMebibyte() throws {
        let file = try PartitionFile(4 << 20)
        let partition = try file.formatted()
        #expect(throws: Failure.self) { try MemoryFixture().write(to: partition, .none) }
        let bytes = try file.bytes
        #expect(bytes[Int(3 << 20)...].allSatisfy { $0 == 0 })
        #expect(bytes[2 << 20..<3 << 20].contains { $0 != 0 }, "the image did not come that far")
    }
}
