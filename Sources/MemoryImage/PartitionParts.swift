// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockStore
import Linux

/// Parts of the data area that an extent names: description and index.
extension HibernationPartition {
    /// Bytes that chunks, index and description can take.
    var dataArea: DeviceRange { superblock.dataArea }

    /// Refuses an extent that is empty, larger than a reader takes, or not within the data area.
    /// - Parameters:
    ///   - name: for messages: `the index`.
    ///   - limit: bytes that a reader takes.
    func check(_ extent: Superblock.Extent, _ name: String, limit: UInt64) throws(Failure) {
        let area = dataArea
        guard extent.byteCount > 0, extent.byteCount <= limit, extent.offset % UInt64(blockSize) == 0,
            extent.offset >= area.lowerBound, extent.offset <= area.upperBound,
            extent.byteCount <= area.upperBound - extent.offset
        else { throw Failure("read", "\(name) on \(path)", "it does not lie within the partition", isFinal: true) }
    }

    /// The bytes of an extent, whose checksum is verified.
    func read(_ extent: Superblock.Extent, _ name: String, limit: UInt64) throws(Failure) -> [UInt8] {
        try check(extent, name, limit: limit)
        let buffer = try Mapping(anonymous: roundedUpToBlock(Int(extent.byteCount)))
        try store.read(into: buffer.bytes, at: extent.offset)
        let bytes = UnsafeRawBufferPointer(rebasing: buffer.bytes[..<Int(extent.byteCount)])
        guard xxh64(bytes) == extent.checksum,
            isZero(UnsafeRawBufferPointer(rebasing: buffer.bytes[Int(extent.byteCount)...]))
        else { throw damaged(name) }
        return Array(bytes)
    }

    /// The refusal of a part whose checksum is wrong.
    func damaged(_ name: String) -> Failure {
        Failure("read", "\(name) on \(path)", "its checksum is wrong: the image is damaged", isFinal: true)
    }

    /// Writes bytes at an offset of the data area.
    /// - Returns: the extent that names them.
    func write(
        _ bytes: [UInt8], _ name: String, at offset: UInt64, limit: UInt64
    ) throws(Failure) -> Superblock.Extent {
        guard UInt64(bytes.count) <= limit else {
            throw Failure("write", "\(name) to \(path)", "it has \(bytes.count) bytes, and a reader takes \(limit)")
        }
        let size = roundedUpToBlock(bytes.count)
        guard offset <= dataArea.upperBound, UInt64(size) <= dataArea.upperBound - offset else {
            throw Failure("write", "\(name) to \(path)", "the partition is full")
        }
        let buffer = try Mapping(anonymous: size)
        buffer.bytes.copyBytes(from: bytes)
        try store.write(UnsafeRawBufferPointer(buffer.bytes), at: offset)
        return Superblock.Extent(offset: offset, byteCount: UInt64(bytes.count), checksum: xxh64(bytes))
    }
}

extension BlockStore {
    /// Writes zeros to a range of bytes.
    func writeZeros(_ range: DeviceRange) throws(Failure) {
        if range.isEmpty { return }
        let zeros = try Mapping(anonymous: Int(min(range.byteCount, 1 << 20)))
        var start = range.lowerBound
        while start < range.upperBound {
            let count = min(zeros.bytes.count, Int(clamping: range.upperBound - start))
            try write(UnsafeRawBufferPointer(rebasing: zeros.bytes[..<count]), at: start)
            start += UInt64(count)
        }
    }
}
