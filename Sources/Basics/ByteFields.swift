// SPDX-License-Identifier: Apache-2.0

/// Little-endian fields in untrusted bytes: nothing here traps, whatever the offset. Offsets and counts are in bytes.
extension RawSpan {
    /// The integer at an offset.
    /// - Throws: if it does not lie inside the bytes.
    public func integer<T: FixedWidthInteger & BitwiseCopyable>(
        at offset: Int, as type: T.Type = T.self
    ) throws(Failure) -> T {
        let size = MemoryLayout<T>.size
        guard offset >= 0, size <= byteCount, offset <= byteCount - size else {
            throw Failure("read", "\(size) bytes at \(offset)", "only \(byteCount) bytes are there")
        }
        return T(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: T.self))
    }

    /// A copy of `count` bytes at an offset.
    /// - Throws: if they do not lie inside the bytes.
    public func copy(at offset: Int, count: Int) throws(Failure) -> [UInt8] {
        guard offset >= 0, count >= 0, count <= byteCount, offset <= byteCount - count else {
            throw Failure("read", "\(count) bytes at \(offset)", "only \(byteCount) bytes are there")
        }
        var result: [UInt8] = []
        result.reserveCapacity(count)
        for i in 0..<count { result.append(unsafeLoad(fromByteOffset: offset + i, as: UInt8.self)) }
        return result
    }

    /// The text of a field of `count` bytes, up to its first NUL. A byte that is not UTF-8 comes out as `\xff`.
    public func text(at offset: Int, count: Int) throws(Failure) -> String {
        let field = try copy(at: offset, count: count)
        return Basics.text(fromDisk: Array(field.prefix { $0 != 0 }))
    }
}

extension Array where Element == UInt8 {
    /// Appends an integer, little-endian.
    public mutating func append<T: FixedWidthInteger>(littleEndian value: T) {
        for i in 0..<MemoryLayout<T>.size { append(UInt8(truncatingIfNeeded: value >> T(i * 8))) }
    }

    /// Puts an integer at an offset, little-endian.
    /// - Precondition: it lies inside the array.
    public mutating func put<T: FixedWidthInteger>(_ value: T, at offset: Int) {
        for i in 0..<MemoryLayout<T>.size { self[offset + i] = UInt8(truncatingIfNeeded: value >> T(i * 8)) }
    }

    /// Puts bytes at an offset, as many as a field of `limit` bytes takes.
    /// - Precondition: they lie inside the array.
    public mutating func put(_ bytes: some Sequence<UInt8>, at offset: Int, limit: Int) {
        var i = 0
        for byte in bytes where i < limit {
            self[offset + i] = byte
            i += 1
        }
    }

    /// Puts text into a field of `limit` bytes that is padded with NUL. Longer text is cut between two characters, so that one
    /// NUL remains.
    /// - Precondition: the field lies inside the array and holds zeros.
    public mutating func put(text: String, at offset: Int, limit: Int) {
        var length = 0
        for scalar in text.unicodeScalars {
            let size = UTF8.width(scalar)
            if length + size >= limit { break }
            length += size
        }
        put(text.utf8.prefix(length), at: offset, limit: limit)
    }
}
