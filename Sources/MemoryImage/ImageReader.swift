// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// Reads one image. Workers share it, each with a `ChunkReader` of its own. A `ChunkQueue` gives each chunk to one of them.
///
/// Checksums form a chain: the superblock has those of description and index, the index has that of the header of each
/// chunk, and the header has that of its payload.
public final class ImageReader: @unchecked Sendable {
    public let partition: HibernationPartition
    public let description: ImageDescription
    public let index: ChunkIndex

    /// Reads description and index of the image that the superblock names, and verifies both.
    public init(_ partition: HibernationPartition) throws(Failure) {
        self.partition = partition
        description = try partition.readDescription()
        index = try ChunkIndex(of: partition)
    }

    /// A reader for a new worker.
    public func makeChunkReader() throws(Failure) -> ChunkReader { try ChunkReader(self) }

    /// Reads and verifies every chunk, each by one of the workers, and hands its pages to the sink of that worker.
    /// - Parameters:
    ///   - makeSink: makes the sink of a worker.
    ///   - didRead: is called after each chunk with its pages, by any worker.
    /// - Returns: the pages of all chunks.
    /// - Throws: the first failure of a worker.
    public func readChunks<Sink: PageSink & ~Copyable>(
        _ workers: Workers, into makeSink: @escaping () -> Sink, didRead: @escaping (PageTally) -> Void = { _ in }
    ) throws(Failure) -> PageTally {
        let tally = Locked(PageTally())
        let queue = ChunkQueue(self)
        try workers.run { () throws(Failure) in
            let chunks = try self.makeChunkReader()
            var sink = makeSink()
            while !workers.isStopping, let entry = try queue.take() {
                let pages = try chunks.read(entry, into: &sink)
                tally.withLock { $0 = $0 + pages }
                didRead(pages)
            }
        }
        return tally.withLock { $0 }
    }
}

extension HibernationPartition {
    /// Bytes in the largest description that is read. With a backup range of 4 GiB, the page map has 8 MiB.
    static let descriptionLimit: UInt64 = 16 << 20

    /// Reads the description of the image that the superblock names, and nothing else of the image, and verifies it.
    public func readDescription() throws(Failure) -> ImageDescription {
        try ImageDescription(
            decoding: read(
                superblock.descriptionExtent, "the description", limit: HibernationPartition.descriptionLimit))
    }
}
