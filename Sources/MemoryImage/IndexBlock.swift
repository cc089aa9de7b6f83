// SPDX-License-Identifier: Apache-2.0
import Basics

/// A block of the index: entries of chunks that were written one after the other, about. It lies among the chunks.
struct IndexBlock {
    static let magic: UInt32 = 0x4b4c_4249  // "IBLK"
    static let fixedByteCount = 128
    static let maximumByteCount = 64 << 10
    /// Entries in one block at most.
    static let maximumEntries = (maximumByteCount - fixedByteCount) / ChunkIndex.entryByteCount

    var imageUUID: UUID
    /// Counts the blocks of an image, from 0.
    var number: UInt64
    /// In the order of their places.
    var entries: [ChunkIndex.Entry]

    /// Pages whose contents the chunks hold.
    var dataPages: UInt64 { entries.reduce(0) { $0 + UInt64($1.dataPages) } }

    init(imageUUID: UUID, number: UInt64, entries: [ChunkIndex.Entry]) {
        self.imageUUID = imageUUID
        self.number = number
        self.entries = entries
    }

    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(IndexBlock.fixedByteCount + entries.count * ChunkIndex.entryByteCount)
        bytes += [UInt8](repeating: 0, count: IndexBlock.fixedByteCount)
        bytes.put(IndexBlock.magic, at: 0)
        bytes.put(UInt32(ChunkIndex.entryByteCount), at: 4)
        bytes.put(imageUUID.bytes, at: 8, limit: 16)
        bytes.put(UInt64(entries.count), at: 24)
        bytes.put(number, at: 32)
        // 72: 24 bytes of nonce and 16 of tag, zero while the superblock's cipher is 0.
        ChunkIndex.encode(entries, into: &bytes)
        return bytes
    }

    /// The block in bytes whose checksum is right, for chunks that lie within `partition`, a range of bytes.
    init(decoding bytes: [UInt8], partition: DeviceRange) throws(Failure) {
        let fields = bytes.span.bytes
        let header = try IndexPieceHeader(decoding: fields, magic: IndexBlock.magic)
        guard (1...UInt64(IndexBlock.maximumEntries)).contains(header.count),
            bytes.count == IndexBlock.fixedByteCount + Int(header.count) * ChunkIndex.entryByteCount
        else {
            throw Failure(
                "read", "a block of the index", "its length is not that of \(header.count) chunks", isFinal: true)
        }
        imageUUID = header.imageUUID
        number = try fields.integer(at: 32)
        entries = try ChunkIndex.entries(
            decoding: fields.extracting(droppingFirst: IndexBlock.fixedByteCount), partition: partition)
    }
}

/// Names the index blocks of an image; the superblock names it.
struct IndexTable {
    static let magic: UInt32 = 0x4c42_5449  // "ITBL"
    static let fixedByteCount = 128
    static let rowByteCount = 32
    /// The largest table that is read: some 65,000 blocks, for 128 TiB of memory.
    static let byteCountLimit: UInt64 = 2 << 20
    static let maximumRows = (Int(byteCountLimit) - fixedByteCount) / rowByteCount

    struct Row: Equatable, Sendable {
        /// Where the block lies, and the checksum of its bytes.
        var extent: Superblock.Extent
        /// Pages whose contents the block's chunks hold.
        var dataPages: UInt64

        /// Chunks in the block.
        var chunks: Int { (Int(extent.byteCount) - IndexBlock.fixedByteCount) / ChunkIndex.entryByteCount }
    }

    var imageUUID: UUID
    var rows: [Row]

    init(imageUUID: UUID, rows: [Row]) {
        self.imageUUID = imageUUID
        self.rows = rows
    }

    func encoded() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: IndexTable.fixedByteCount)
        bytes.put(IndexTable.magic, at: 0)
        bytes.put(UInt32(IndexTable.rowByteCount), at: 4)
        bytes.put(imageUUID.bytes, at: 8, limit: 16)
        bytes.put(UInt64(rows.count), at: 24)
        // 72: 24 bytes of nonce and 16 of tag, zero while the superblock's cipher is 0.
        bytes.reserveCapacity(bytes.count + rows.count * IndexTable.rowByteCount)
        for row in rows {
            bytes.append(littleEndian: row.extent.offset)
            bytes.append(littleEndian: UInt32(truncatingIfNeeded: row.extent.byteCount))
            bytes.append(littleEndian: UInt32(row.chunks))
            bytes.append(littleEndian: row.dataPages)
            bytes.append(littleEndian: row.extent.checksum)
        }
        return bytes
    }

    /// The table in bytes whose checksum is right, for blocks that lie within `partition`, a range of bytes.
    init(decoding bytes: [UInt8], partition: DeviceRange) throws(Failure) {
        let fields = bytes.span.bytes
        let header = try IndexPieceHeader(decoding: fields, magic: IndexTable.magic)
        guard header.count <= UInt64(IndexTable.maximumRows),
            bytes.count == IndexTable.fixedByteCount + Int(header.count) * IndexTable.rowByteCount
        else { throw Failure("read", "the index", "its length is not that of \(header.count) blocks", isFinal: true) }
        imageUUID = header.imageUUID
        rows = []
        rows.reserveCapacity(Int(header.count))
        // Written one after the other, so none lies over another, and a reader goes over the partition once at most.
        var end = partition.lowerBound
        for i in 0..<Int(header.count) {
            let at = IndexTable.fixedByteCount + i * IndexTable.rowByteCount
            let size: UInt32 = try fields.integer(at: at + 8)
            let row = Row(
                extent: Superblock.Extent(
                    offset: try fields.integer(at: at), byteCount: UInt64(size),
                    checksum: try fields.integer(at: at + 24)),
                dataPages: try fields.integer(at: at + 16))
            guard row.extent.offset % UInt64(blockSize) == 0, size > UInt32(IndexBlock.fixedByteCount),
                size <= UInt32(IndexBlock.maximumByteCount), row.extent.offset >= end,
                row.extent.offset <= partition.upperBound, UInt64(size) <= partition.upperBound - row.extent.offset
            else {
                throw Failure(
                    "read", "the index", "its block \(i) does not lie within the partition, behind the one before it",
                    isFinal: true)
            }
            guard try fields.integer(at: at + 12) == UInt32(row.chunks),
                Int(size) == IndexBlock.fixedByteCount + row.chunks * ChunkIndex.entryByteCount,
                row.dataPages <= UInt64(row.chunks * ChunkHeader.maximumDataPages)
            else {
                throw Failure(
                    "read", "the index", "its block \(i) has other counts than a block can have", isFinal: true)
            }
            rows.append(row)
            end = row.extent.offset + UInt64(size)
        }
    }
}

/// What a table, an index block and an index of version 1 begin with: magic, bytes in a row, the image, and how many rows.
struct IndexPieceHeader {
    let imageUUID: UUID
    let count: UInt64

    init(decoding fields: RawSpan, magic: UInt32) throws(Failure) {
        guard fields.byteCount >= 128, try fields.integer(at: 0) == magic, try fields.integer(at: 4) == UInt32(32),
            let uuid = UUID(bytes: try fields.copy(at: 8, count: 16))
        else { throw Failure("read", "the index", "it is none", isFinal: true) }
        imageUUID = uuid
        count = try fields.integer(at: 24)
    }
}
