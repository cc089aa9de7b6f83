// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import Testing

@testable import MemoryImage

@Suite struct ChunkQueueTests {
    @Test func givesEachChunkOnce() throws {
        let file = try PartitionFile()
        let partition = try file.formatted()
        let writer = try ImageWriter(
            partition, imageUUID: MemoryFixture.imageUUID, codec: .none,
            index: IndexWriter(partition, imageUUID: MemoryFixture.imageUUID, capacity: 3))
        let builder = try writer.makeChunkBuilder()
        for number in 0..<100 as Range<UInt64> {
            try builder.addZeros(firstFrame: number * 10, count: 1)
            try builder.flush()
        }
        try writer.finish(ImageDescription(), state: .ready) { 0 }
        let reader = try ImageReader(HibernationPartition(file.path))
        for _ in 0..<2 {
            let queue = ChunkQueue(reader)
            let taken = Locked<[UInt64]>([])
            try Workers(count: 8).run { () throws(Failure) in
                while let entry = try queue.take() { taken.withLock { $0.append(entry.sequence) } }
            }
            #expect(taken.withLock { $0.sorted() } == Array(0..<100))
            #expect(try queue.take() == nil)
        }
        try reader.verify()
        try reader.verify()
    }
}
