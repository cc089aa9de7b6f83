// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import MemoryImage

/// An index whose chunks are larger together than the data area: a reader would go over the partition again and again.
@Suite struct ChunkIndexTests {
    @Test func chunksAreNoMoreThanThePartitionHolds() throws {
        let file = try PartitionFile(4 << 20)
        let partition = try file.formatted()
        // Three blocks that name the same chunks, of 1 MiB; the data area has 2 MiB.
        try partition.writeIndex((0..<3).flatMap { _ in tinyEntries(256) }, from: 2 << 20, capacity: 256)
        let failure = #expect(throws: Failure.self) { try ImageReader(HibernationPartition(file.path)) }
        #expect(failure?.reason == "its chunks are more than the partition holds")
    }
}
