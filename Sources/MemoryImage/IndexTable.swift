// SPDX-License-Identifier: Apache-2.0
import Basics

/// The table that names the index blocks of an image. The superblock names it.
struct IndexTable {
    static let magic: UInt32 = 0x4c42_5449  // "ITBL"
    /// Bytes in the largest table that is read: some 65,000 blocks, for 128 TiB of memory.
    static let byteCountLimit: UInt64 = 2 << 20
    static let maximumRows = (Int(byteCountLimit) - IndexHeader.byteCount) / IndexHeader.rowByteCount

    struct Row: Equatable, Sendable {
        /// The block.
        var extent: Superblock.Extent
        /// Pages that the chunks of the block store.
        var dataPages: UInt64

        /// Chunks in the block, by its size.
        var chunks: Int { (Int(extent.byteCount) - IndexHeader.byteCount) / IndexHeader.rowByteCount }

        /// - Parameter chunks: the chunks in the block, as the row has them.
        mutating func fields<Coder: FieldCoder>(
            _ coder: inout Coder, at start: Int, _ chunks: inout UInt32
        ) throws(Coder.Refusal) {
            var size = UInt32(truncatingIfNeeded: extent.byteCount)
            try coder.integer(&extent.offset, at: start)
            try coder.integer(&size, at: start + 8)
            try coder.integer(&chunks, at: start + 12)
            try coder.integer(&dataPages, at: start + 16)
            try coder.integer(&extent.checksum, at: start + 24)
            extent.byteCount = UInt64(size)
        }
    }

    var imageUUID: UUID
    var rows: [Row]

    init(imageUUID: UUID, rows: [Row]) {
        self.imageUUID = imageUUID
        self.rows = rows
    }

    func encoded() -> [UInt8] {
        var header = IndexHeader(imageUUID: imageUUID, count: UInt64(rows.count))
        var writer = FieldWriter(byteCount: IndexHeader.byteCount(rows: rows.count))
        header.fields(&writer, magic: IndexTable.magic)
        for (number, row) in rows.enumerated() {
            var row = row, chunks = UInt32(truncatingIfNeeded: row.chunks)
            row.fields(&writer, at: IndexHeader.offset(ofRow: number), &chunks)
        }
        return writer.bytes
    }

    /// The table in bytes whose checksum is right.
    /// - Parameter area: the data area, which has to hold the blocks.
    init(decoding bytes: [UInt8], partition area: DeviceRange) throws(Failure) {
        let header = try IndexHeader(decoding: bytes, magic: IndexTable.magic)
        guard header.count <= UInt64(IndexTable.maximumRows),
            bytes.count == IndexHeader.byteCount(rows: Int(header.count))
        else { throw Failure("read", "the index", "its length is not that of \(header.count) blocks", isFinal: true) }
        imageUUID = header.imageUUID
        rows = []
        rows.reserveCapacity(Int(header.count))
        var reader = FieldReader(bytes, of: "the index", isFinal: true)
        // Blocks were written one after the other and do not overlap, so a reader goes over the partition once at most.
        var end = area.lowerBound
        for number in 0..<Int(header.count) {
            var row = Row(extent: Superblock.Extent(), dataPages: 0), chunks: UInt32 = 0
            try row.fields(&reader, at: IndexHeader.offset(ofRow: number), &chunks)
            let extent = row.extent
            guard extent.offset % UInt64(blockSize) == 0, extent.byteCount > UInt64(IndexHeader.byteCount),
                extent.byteCount <= UInt64(IndexBlock.maximumByteCount), extent.offset >= end,
                extent.offset <= area.upperBound, extent.byteCount <= area.upperBound - extent.offset
            else {
                throw Failure(
                    "read", "the index",
                    "its block \(number) does not lie within the partition, behind the one before it", isFinal: true)
            }
            guard Int(chunks) == row.chunks, Int(extent.byteCount) == IndexHeader.byteCount(rows: row.chunks),
                row.dataPages <= UInt64(row.chunks * ChunkHeader.maximumDataPages)
            else {
                throw Failure(
                    "read", "the index", "its block \(number) has other counts than a block can have", isFinal: true)
            }
            rows.append(row)
            end = extent.offset + extent.byteCount
        }
    }
}
