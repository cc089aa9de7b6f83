// SPDX-License-Identifier: Apache-2.0
import Basics

/// The index of an image: where its chunks are. The entries stay on the partition and are read a piece at a time, so that
/// memory does not grow with the image.
///
/// Since version 2 the pieces are index blocks, which a table names. In version 1 the index is one extent.
public struct ChunkIndex: Sendable {
    /// One chunk of the image.
    public struct Entry: Equatable, Sendable {
        /// Bytes from the beginning of the partition, a multiple of the block size.
        public var offset: UInt64
        /// Bytes on the partition: whole blocks.
        public var byteCount: UInt32
        /// Pages that the chunk stores.
        public var dataPages: UInt32
        /// The number of the chunk, as its header has it.
        public var sequence: UInt64
        /// The checksum of the header, as the header has it.
        public var headerChecksum: UInt64

        mutating func fields<Coder: FieldCoder>(_ coder: inout Coder, at start: Int) throws(Coder.Refusal) {
            try coder.integer(&offset, at: start)
            try coder.integer(&byteCount, at: start + 8)
            try coder.integer(&dataPages, at: start + 12)
            try coder.integer(&sequence, at: start + 16)
            try coder.integer(&headerChecksum, at: start + 24)
        }
    }

    private enum Layout {
        case blocks([IndexTable.Row])
        case contiguous(ContiguousIndex, Superblock.Extent)
    }

    public let imageUUID: UUID
    private let layout: Layout
    /// How many pieces the index has.
    let pieceCount: Int

    /// Reads the whole index once, and verifies its checksums, its bounds and its counts.
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

    /// Reads all pieces and compares their entries with the counts of the superblock.
    private func verify(_ partition: HibernationPartition) throws(Failure) {
        let area = partition.dataArea
        var totals = Totals()
        var end = area.lowerBound
        for number in 0..<pieceCount {
            let entries = try piece(number, of: partition)
            for entry in entries { totals.add(entry) }
            // All entries of version 1 are in the order of their offsets.
            if case .contiguous = layout {
                guard let first = entries.first, let last = entries.last, first.offset >= end else {
                    throw Failure(
                        "read", "the index on \(partition.path)", "its chunks are not in order", isFinal: true)
                }
                end = last.offset + UInt64(last.byteCount)
            }
            // If no chunk is there twice, a reader goes over the partition once at most.
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

    /// Sums over entries. They cannot overflow: a piece has some thousand entries at most, and each is bounded.
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

    /// The entries of a piece, in the order of their offsets.
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

    /// Writes entries behind a header, one behind the other.
    static func encode(_ entries: some Sequence<Entry>, to writer: inout FieldWriter) {
        for (number, entry) in entries.enumerated() {
            var entry = entry
            entry.fields(&writer, at: IndexHeader.offset(ofRow: number))
        }
    }

    /// Entries in the order of their offsets, of chunks that do not overlap.
    /// - Parameters:
    ///   - start: the offset of the first entry in `bytes`.
    ///   - count: how many entries there are.
    ///   - area: the data area, which has to hold the chunks.
    static func entries(
        decoding bytes: [UInt8], from start: Int, count: Int, partition area: DeviceRange
    ) throws(Failure) -> [Entry] {
        var entries: [Entry] = []
        entries.reserveCapacity(count)
        var reader = FieldReader(bytes, of: "the index", isFinal: true)
        var end = area.lowerBound
        for number in 0..<count {
            var entry = Entry(offset: 0, byteCount: 0, dataPages: 0, sequence: 0, headerChecksum: 0)
            try entry.fields(&reader, at: start + number * IndexHeader.rowByteCount)
            guard entry.offset % UInt64(blockSize) == 0, entry.byteCount % UInt32(blockSize) == 0, entry.byteCount > 0,
                entry.byteCount <= UInt32(ChunkHeader.maximumByteCount), entry.offset >= end,
                entry.offset <= area.upperBound, UInt64(entry.byteCount) <= area.upperBound - entry.offset
            else {
                throw Failure(
                    "read", "the index", "chunk \(number) does not lie within the partition, behind the one before it",
                    isFinal: true)
            }
            guard entry.dataPages <= UInt32(ChunkHeader.maximumDataPages) else {
                throw Failure("read", "the index", "chunk \(number) has more pages than a chunk holds", isFinal: true)
            }
            entries.append(entry)
            end = entry.offset + UInt64(entry.byteCount)
        }
        return entries
    }
}
