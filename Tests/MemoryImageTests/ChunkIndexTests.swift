// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import MemoryImage

/// Chunks that add up to more than there is: nobody reads the partition over and over.
@Suite struct ChunkIndexTests {
    @Test func chunksAreNoMoreThanThePartitionHolds() throws {
        let file = try PartitionFile(4 << 20)
        let partition = try file.formatted()
        // Three blocks that all name the same chunks: 1 MiB each, where there are 2 MiB.
        try partition.writeIndex((0..<3).flatMap { _ in tinyEntries(256) }, from: 2 << 20, capacity: 256)
        let failure = #expect(throws: Failure.self) { try ImageReader(HibernationPartition(file.path)) }
        #expect(failure?.reason == "its chunks are more than the partition holds")
    }
}
