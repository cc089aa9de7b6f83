// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import MemoryImage

/// Chunks that add up to more than there is: nobody reads the partition over and over.
@Suite struct ChunkIndexTests {
    @Test func chunksAreNoMoreThanThePartitionHolds() throws {
        let file = try PartitionFile(4 << 20)
        let partition = try file.formatted()
        try partition.beginImage(MemoryFixture.imageUUID, .none, .indexBlocks)
        // Three blocks that all name the same chunks: 1 MiB each, where there are 2 MiB.
        var next: UInt64 = 2 << 20
        let index = IndexWriter(partition, imageUUID: MemoryFixture.imageUUID, capacity: 256)
        func reserve(_ count: Int) throws(Failure) -> UInt64 {
            defer { next += UInt64(roundedUpToBlock(count)) }
            return next
        }
        for _ in 0..<3 { for entry in tinyEntries(256) { try index.add(entry, reserve: reserve) } }
        let description = ImageDescription().encoded()
        let descriptionExtent = try partition.write(
            description, "the description", at: try reserve(description.count), limit: 4096)
        let extent = try index.finish(reserve: reserve)
        try partition.update { superblock in
            superblock.state = .ready
            superblock.indexExtent = extent
            superblock.descriptionExtent = descriptionExtent
            superblock.counts.chunks = 3 * 256
            superblock.counts.dataPages = 3 * tinyEntries(256).reduce(0) { $0 + UInt64($1.dataPages) }
        }
        let failure = #expect(throws: Failure.self) { try ImageReader(HibernationPartition(file.path)) }
        #expect(failure?.reason == "its chunks are more than the partition holds")
    }
}
