import CLZMA

/// The CRC-64 of the .xz format (ECMA-182, reflected), as liblzma computes it; `previous` continues a checksum.
public func crc64(_ bytes: UnsafeRawBufferPointer, previous: UInt64 = 0) -> UInt64 {
    guard let start = bytes.baseAddress else { return previous }
    return lzma_crc64(start.assumingMemoryBound(to: UInt8.self), bytes.count, previous)
}

/// The CRC-64 of the first `count` bytes of an array.
func crc64(_ bytes: [UInt8], count: Int? = nil) -> UInt64 {
    bytes.withUnsafeBytes { crc64(UnsafeRawBufferPointer(rebasing: $0.prefix(count ?? $0.count))) }
}
