// SPDX-License-Identifier: Apache-2.0
import Basics

/// A block of the index: entries of chunks that were written at about the same time. It lies among the chunks.
struct IndexBlock {
    static let magic: UInt32 = 0x4b4c_4249  // "IBLK"
    static let maximumByteCount = 64 << 10
    /// Entries in one block at most.
    static let maximumEntries = (maximumByteCount - IndexHeader.byteCount) / IndexHeader.rowByteCount

    var imageUUID: UUID
    /// Counts the blocks of an image, from 0.
    var number: UInt64
    /// In the order of their offsets.
    var entries: [ChunkIndex.Entry]

    /// Pages that the chunks store.
    var dataPages: UInt64 { entries.reduce(0) { $0 + UInt64($1.dataPages) } }

    init(imageUUID: UUID, number: UInt64, entries: [ChunkIndex.Entry]) {
        self.imageUUID = imageUUID
        self.number = number
        self.entries = entries
    }

    func encoded() -> [UInt8] {
        var header = IndexHeader(imageUUID: imageUUID, count: UInt64(entries.count), number: number)
        var writer = FieldWriter(byteCount: IndexHeader.byteCount(rows: entries.count))
        header.fields(&writer, magic: IndexBlock.magic)
        ChunkIndex.encode(entries, to: &writer)
        return writer.bytes
    }

    /// The block in bytes whose checksum is right.
    /// - Parameter area: the data area, which has to hold the chunks.
    init(decoding bytes: [UInt8], partition area: DeviceRange) throws(Failure) {
        let header = try IndexHeader(decoding: bytes, magic: IndexBlock.magic)
        guard (1...UInt64(IndexBlock.maximumEntries)).contains(header.count),
            bytes.count == IndexHeader.byteCount(rows: Int(header.count))
        else {
            throw Failure(
                "read", "a block of the index", "its length is not that of \(header.count) chunks", isFinal: true)
        }
        imageUUID = header.imageUUID
        number = header.number
        entries = try ChunkIndex.entries(
            decoding: bytes, from: IndexHeader.byteCount, count: Int(header.count), partition: area)
    }
}
