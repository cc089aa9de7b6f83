// SPDX-License-Identifier: Apache-2.0
import Basics

/// The first bytes of a table, of an index block and of an index of version 1. Rows of 32 bytes follow.
struct IndexHeader {
    static let byteCount = 128
    /// Bytes in a row: an entry of a chunk, or a row of the table.
    static let rowByteCount = 32

    var imageUUID: UUID
    /// How many rows follow.
    var count: UInt64
    /// The number of an index block; 0 in a table and in version 1.
    var number: UInt64 = 0

    mutating func fields<Coder: FieldCoder>(_ coder: inout Coder, magic: UInt32) throws(Coder.Refusal) {
        try coder.constant(magic, at: 0, "it is not an index")
        try coder.constant(UInt32(IndexHeader.rowByteCount), at: 4, "it is not an index")
        try coder.uuid(&imageUUID, at: 8)
        try coder.integer(&count, at: 24)
        try coder.integer(&number, at: 32)
        // 72: 24 bytes of nonce and 16 of tag, zero while the cipher of the superblock is 0.
    }

    /// The offset of a row.
    static func offset(ofRow number: Int) -> Int { byteCount + number * rowByteCount }

    /// Bytes in a header and so many rows.
    static func byteCount(rows: Int) -> Int { offset(ofRow: rows) }

    init(imageUUID: UUID, count: UInt64, number: UInt64 = 0) {
        self.imageUUID = imageUUID
        self.count = count
        self.number = number
    }

    /// - Throws: if it is not the header of a piece of an index with this magic.
    init(decoding bytes: [UInt8], magic: UInt32) throws(Failure) {
        self.init(imageUUID: .zero, count: 0)
        guard bytes.count >= IndexHeader.byteCount else {
            throw Failure("read", "the index", "it is not an index", isFinal: true)
        }
        var reader = FieldReader(bytes, of: "the index", isFinal: true)
        try fields(&reader, magic: magic)
    }
}
