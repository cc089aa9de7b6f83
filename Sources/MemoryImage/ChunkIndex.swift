// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// Where the chunks of an image lie, as far as one has to know it at once: the entries themselves stay on the partition and
/// are read a piece at a time, so that memory does not grow with the image.
///
/// Since version 2 the pieces are index blocks, which a table names; in version 1 the index is one extent.
public struct ChunkIndex: Sendable {
    /// One chunk of the image.
    public struct Entry: Equatable, Sendable {
        /// Bytes from the partition's beginning, a multiple of the block size.
        public var offset: UInt64
        /// Bytes on the partition, a multiple of the block size.
        public var byteCount: UInt32
        public var dataPages: UInt32
        /// The chunk's number, as its header has it.
        public var sequence: UInt64
        /// The XXH64 of the chunk's header, as that has it.
        public var headerChecksum: UInt64
    }

    private enum Layout {
        case blocks([IndexTable.Row])
        case contiguous(ContiguousIndex, Superblock.Extent)
    }

    public let imageUUID: UUID
    private let layout: Layout
    /// How many pieces there are.
    let pieceCount: Int

    /// Reads all of the index once, and verifies its checksums, its bounds and its counts.
    init(of partition: HibernationPartition) throws(Failure) {
        let superblock = partition.superblock
        let extent = superblock.indexExtent
        if superblock.features.contains(.indexBlocks) {
            let table = try IndexTable(
                decoding: partition.read(extent, "the index", limit: IndexTable.byteCountLimit),
                partition: partition.dataArea)
            imageUUID = table.imageUUID
            layout = .blocks(table.rows)
            pieceCount = table.rows.count
        } else {
            let index = try ContiguousIndex(verifying: extent, on: partition)
            imageUUID = index.imageUUID
            layout = .contiguous(index, extent)
            pieceCount = index.pieceCount
        }
        guard imageUUID == superblock.imageUUID else { throw ChunkIndex.alien(partition) }
        try verify(partition)
    }

    /// Goes through all pieces: what the superblock says of the index has to be true of its entries.
    private func verify(_ partition: HibernationPartition) throws(Failure) {
        let area = partition.dataArea
        var totals = Totals()
        var end = area.lowerBound
        for number in 0..<pieceCount {
            let entries = try piece(number, of: partition)
            for entry in entries { totals.add(entry) }
            // In one piece, the index is in the order of the chunks' places.
            if case .contiguous = layout {
                guard let first = entries.first, let last = entries.last, first.offset >= end else {
                    throw Failure(
                        "read", "the index on \(partition.path)", "its chunks are not in order", isFinal: true)
                }
                end = last.offset + UInt64(last.byteCount)
            }
            // No chunk more than once: a reader goes over the partition once at most.
            guard totals.byteCount <= area.upperBound - area.lowerBound else {
                throw Failure(
                    "read", "the index on \(partition.path)", "its chunks are more than the partition holds",
                    isFinal: true)
            }
        }
        let counts = partition.superblock.counts
        guard totals.chunks == counts.chunks, totals.dataPages == counts.dataPages else {
            throw ChunkIndex.alien(partition)
        }
    }

    /// What entries come to; a piece has at most some thousand of them, and each is bounded.
    private struct Totals {
        var chunks: UInt64 = 0
        var dataPages: UInt64 = 0
        var byteCount: UInt64 = 0
        mutating func add(_ entry: Entry) {
            chunks += 1
            dataPages += UInt64(entry.dataPages)
            byteCount += UInt64(entry.byteCount)
        }
    }

    private static func alien(_ partition: HibernationPartition) -> Failure {
        Failure("read", "the index on \(partition.path)", "it belongs to another image", isFinal: true)
    }

    /// The entries of a piece, in the order of their places.
    func piece(_ number: Int, of partition: HibernationPartition) throws(Failure) -> [Entry] {
        switch layout {
        case .blocks(let rows):
            let row = rows[number]
            let block = try IndexBlock(
                decoding: partition.read(
                    row.extent, "block \(number) of the index", limit: UInt64(IndexBlock.maximumByteCount)),
                partition: partition.dataArea)
            guard block.imageUUID == imageUUID else { throw ChunkIndex.alien(partition) }
            guard block.number == UInt64(number), block.dataPages == row.dataPages else {
                throw Failure(
                    "read", "block \(number) of the index on \(partition.path)",
                    "it is not the one that the table names", isFinal: true)
            }
            return block.entries
        case .contiguous(let index, let extent): return try index.piece(number, of: extent, on: partition)
        }
    }

    /// Bytes in an entry.
    static let entryByteCount = 32

    /// Writes entries, one behind the other.
    static func encode(_ entries: some Sequence<Entry>, into bytes: inout [UInt8]) {
        for entry in entries {
            bytes.append(littleEndian: entry.offset)
            bytes.append(littleEndian: entry.byteCount)
            bytes.append(littleEndian: entry.dataPages)
            bytes.append(littleEndian: entry.sequence)
            bytes.append(littleEndian: entry.headerChecksum)
        }
    }

    /// All entries in `bytes`, which are in the order of their places, none over another, within `partition`: a range of
    /// bytes.
    static func entries(decoding bytes: RawSpan, partition: DeviceRange) throws(Failure) -> [Entry] {
        let count = bytes.byteCount / entryByteCount
        var entries: [Entry] = []
        entries.reserveCapacity(count)
        var end = partition.lowerBound
        for i in 0..<count {
            let at = i * entryByteCount
            let entry = Entry(
                offset: try bytes.integer(at: at), byteCount: try bytes.integer(at: at + 8),
                dataPages: try bytes.integer(at: at + 12), sequence: try bytes.integer(at: at + 16),
                headerChecksum: try bytes.integer(at: at + 24))
            guard entry.offset % UInt64(blockSize) == 0, entry.byteCount % UInt32(blockSize) == 0, entry.byteCount > 0,
                entry.byteCount <= UInt32(ChunkHeader.maximumByteCount), entry.offset >= end,
                entry.offset <= partition.upperBound, UInt64(entry.byteCount) <= partition.upperBound - entry.offset
            else {
                throw Failure(
                    "read", "the index", "chunk \(i) does not lie within the partition, behind the one before it",
                    isFinal: true)
            }
            guard entry.dataPages <= UInt32(ChunkHeader.maximumDataPages) else {
                throw Failure("read", "the index", "chunk \(i) has more pages than a chunk holds", isFinal: true)
            }
            entries.append(entry)
            end = entry.offset + UInt64(entry.byteCount)
        }
        return entries
    }
}
