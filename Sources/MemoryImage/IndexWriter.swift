// SPDX-License-Identifier: Apache-2.0
import Basics

/// Takes the entries of chunks as they are written, and writes them a block at a time. In memory it keeps one block, and 32
/// bytes for each block that was written.
///
/// One thread at a time may use it.
final class IndexWriter {
    private let partition: HibernationPartition
    private let imageUUID: UUID
    /// Entries in a block.
    private let capacity: Int
    private var entries: [ChunkIndex.Entry] = []
    private var rows: [IndexTable.Row] = []
    private(set) var chunkCount: UInt64 = 0

    /// - Parameter capacity: entries in a block; only tests want fewer than a block can have.
    init(_ partition: HibernationPartition, imageUUID: UUID, capacity: Int = IndexBlock.maximumEntries) {
        self.partition = partition
        self.imageUUID = imageUUID
        self.capacity = max(1, min(capacity, IndexBlock.maximumEntries))
        entries.reserveCapacity(self.capacity)
    }

    /// Takes an entry; writes the block if it is full.
    /// - Parameter reserve: gives the place for so many bytes.
    func add(_ entry: ChunkIndex.Entry, reserve: (Int) throws(Failure) -> UInt64) throws(Failure) {
        entries.append(entry)
        chunkCount += 1
        if entries.count == capacity { try writeBlock(reserve) }
    }

    /// Writes the last block, then the table.
    /// - Parameter reserve: gives the place for so many bytes.
    /// - Returns: the extent of the table.
    func finish(reserve: (Int) throws(Failure) -> UInt64) throws(Failure) -> Superblock.Extent {
        if !entries.isEmpty { try writeBlock(reserve) }
        let bytes = IndexTable(imageUUID: imageUUID, rows: rows).encoded()
        return try partition.write(bytes, "the index", at: reserve(bytes.count), limit: IndexTable.byteCountLimit)
    }

    private func writeBlock(_ reserve: (Int) throws(Failure) -> UInt64) throws(Failure) {
        guard rows.count < IndexTable.maximumRows else {
            throw Failure(
                "write", "the index to \(partition.path)",
                "the image has \(chunkCount) chunks, more than a reader takes")
        }
        // Workers finish their chunks in any order, but a reader should go over the disk forwards.
        entries.sort { $0.offset < $1.offset }
        let block = IndexBlock(imageUUID: imageUUID, number: UInt64(rows.count), entries: entries)
        let bytes = block.encoded()
        let extent = try partition.write(
            bytes, "the index", at: reserve(bytes.count), limit: UInt64(IndexBlock.maximumByteCount))
        rows.append(IndexTable.Row(extent: extent, dataPages: block.dataPages))
        entries.removeAll(keepingCapacity: true)
    }
}
