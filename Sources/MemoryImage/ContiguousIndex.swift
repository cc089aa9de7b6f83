// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockStore
import Linux

/// The index of an image of version 1: one extent with a header and all entries. It is read in pieces.
struct ContiguousIndex: Sendable {
    static let magic: UInt32 = 0x5844_4e49  // "INDX"
    /// Bytes in the largest index: 2 million chunks, 2 TiB of memory.
    static let byteCountLimit: UInt64 = 64 << 20
    /// Bytes in a piece. No entry lies in two pieces.
    static let pieceByteCount = 64 << 10

    let imageUUID: UUID
    let chunkCount: UInt64
    let pieceCount: Int

    /// - Parameters:
    ///   - bytes: the first bytes of the index.
    ///   - byteCount: bytes in the index.
    init(decoding bytes: [UInt8], byteCount: UInt64) throws(Failure) {
        let header = try IndexHeader(decoding: bytes, magic: ContiguousIndex.magic)
        let fixed = UInt64(IndexHeader.byteCount), size = UInt64(IndexHeader.rowByteCount)
        guard byteCount >= fixed, (byteCount - fixed) % size == 0, header.count == (byteCount - fixed) / size else {
            throw Failure("read", "the index", "its length is not that of \(header.count) chunks", isFinal: true)
        }
        imageUUID = header.imageUUID
        chunkCount = header.count
        // An index without a chunk has no piece.
        pieceCount =
            chunkCount == 0 ? 0 : Int((byteCount - 1) / UInt64(ContiguousIndex.pieceByteCount) + 1)
    }

    /// Verifies the checksum of the whole index, a piece at a time, and reads the header.
    init(verifying extent: Superblock.Extent, on partition: HibernationPartition) throws(Failure) {
        try partition.check(extent, "the index", limit: ContiguousIndex.byteCountLimit)
        let buffer = try Mapping(anonymous: ContiguousIndex.pieceByteCount)
        var sum = StreamedXXH64()
        var header: [UInt8] = []
        var position: UInt64 = 0
        var isPadded = true
        while position < extent.byteCount {
            let count = Int(min(extent.byteCount - position, UInt64(buffer.bytes.count)))
            let padded = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<roundedUpToBlock(count)])
            try partition.store.read(into: padded, at: extent.offset + position)
            if position == 0 { header = Array(padded[..<min(count, IndexHeader.byteCount)]) }
            sum.add(UnsafeRawBufferPointer(rebasing: padded[..<count]))
            isPadded = isPadded && isZero(UnsafeRawBufferPointer(rebasing: padded[count...]))
            position += UInt64(count)
        }
        guard sum.value == extent.checksum, isPadded else { throw partition.damaged("the index") }
        try self.init(decoding: header, byteCount: extent.byteCount)
    }

    /// The entries of a piece. The extent was verified before.
    func piece(
        _ number: Int, of extent: Superblock.Extent, on partition: HibernationPartition
    ) throws(Failure) -> [ChunkIndex.Entry] {
        let position = UInt64(number) * UInt64(ContiguousIndex.pieceByteCount)
        let count = Int(min(extent.byteCount - position, UInt64(ContiguousIndex.pieceByteCount)))
        let buffer = try Mapping(anonymous: roundedUpToBlock(count))
        try partition.store.read(into: buffer.bytes, at: extent.offset + position)
        let start = number == 0 ? IndexHeader.byteCount : 0
        return try ChunkIndex.entries(
            decoding: Array(buffer.bytes[..<count]), from: start, count: (count - start) / IndexHeader.rowByteCount,
            partition: partition.dataArea)
    }
}
