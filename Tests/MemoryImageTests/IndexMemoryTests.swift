// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import Testing

@testable import MemoryImage

/// Memory does not grow with the image: not the writer's, not the reader's.
@Suite(.serialized) struct IndexMemoryTests {
    /// Chunks of an image of 1 TiB.
    private static let chunkCount = 1 << 20
    /// What it may grow by; all entries at once have 32 MiB.
    private static let limit: UInt64 = 6 << 20

    /// How much more memory a child of this process takes at its peak for what `body` does.
    /// - Parameter warmUp: does the same in small: the pages of the program's own code count as memory from their first use.
    private func growth(
        warmUp: @escaping () throws(Failure) -> Void, _ body: @escaping () throws(Failure) -> Void
    ) throws -> UInt64 {
        blockChildSignal()
        let result = try Mapping(anonymous: 4096, isShared: true)
        let word = result.bytes
        let child = try forkChild {
            do throws(Failure) {
                try warmUp()
                let before = try peakMemory()
                try body()
                word.storeBytes(of: try peakMemory() - before + 1, as: UInt64.self)
                return 0
            } catch { return 1 }
        }
        while try wait(for: child, milliseconds: 1000) == nil {}
        let value = result.bytes.load(as: UInt64.self)
        try #require(value > 0, "the child has failed")
        return value - 1
    }

    private static func entry(_ number: Int) -> ChunkIndex.Entry {
        ChunkIndex.Entry(
            offset: 1 << 20 + UInt64(number) * 4096, byteCount: 4096, dataPages: 1, sequence: UInt64(number),
            headerChecksum: UInt64(number) &* 3)
    }

    /// Writes the index of an image of tiny chunks, which are not there themselves.
    private static func writeIndex(
        _ partition: HibernationPartition, chunkCount: Int = chunkCount
    ) throws(Failure) {
        // Workers end in another order than they began in.
        let entries = (0..<chunkCount).lazy.map { entry($0 ^ 3) }
        try partition.writeIndex(entries, from: 1 << 20 + UInt64(chunkCount) * 4096)
    }

    /// Takes all chunks, which come in the order of their numbers, and opens the image for that.
    private static func readIndex(_ path: String, chunkCount: Int = chunkCount) throws(Failure) {
        let queue = ChunkQueue(try ImageReader(HibernationPartition(path)))
        var number = 0
        while let found = try queue.take() {
            guard found == entry(number) else { throw Failure("read", "chunk \(number)", "it is another one") }
            number += 1
        }
        guard number == chunkCount else { throw Failure("read", "the index", "it has \(number) chunks") }
    }

    /// Chunks of a small image, which takes the same way.
    private static let smallCount = 8

    @Test func isBoundedForAMillionChunks() throws {
        let file = try PartitionFile(5 << 30), small = try PartitionFile(64 << 20)
        let partition = try file.formatted(), smallPartition = try small.formatted()
        let writing = try growth {
            () throws(Failure) in
            try Self.writeIndex(smallPartition, chunkCount: Self.smallCount)
        } _: {
            () throws(Failure) in
            try Self.writeIndex(partition)
        }
        #expect(writing < Self.limit, "writing took \(writing) bytes")
        try expectBoundedReading(file, small)
    }

    @Test func isBoundedForAMillionChunksOfVersionOne() throws {
        let file = try PartitionFile(0), small = try PartitionFile(0)
        try file.writeVersionOne((0..<Self.chunkCount).map(Self.entry), byteCount: 5 << 30)
        try small.writeVersionOne((0..<Self.smallCount).map(Self.entry), byteCount: 64 << 20)
        try expectBoundedReading(file, small)
    }

    private func expectBoundedReading(_ file: PartitionFile, _ small: PartitionFile) throws {
        let path = file.path, smallPath = small.path
        let reading = try growth {
            () throws(Failure) in
            try Self.readIndex(smallPath, chunkCount: Self.smallCount)
        } _: {
            () throws(Failure) in
            try Self.readIndex(path)
        }
        #expect(reading < Self.limit, "reading took \(reading) bytes")
    }
}
