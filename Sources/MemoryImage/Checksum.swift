import CXXHash

/// The XXH64 of bytes (xxHash specification, "XXH64"): as fast as memory on any processor, since all it needs is
/// multiplication. A change within one aligned word of 8 bytes always changes it.
public func xxh64(_ bytes: UnsafeRawBufferPointer, seed: UInt64 = 0) -> UInt64 {
    torpor_xxh64(bytes.baseAddress, bytes.count, seed)
}

/// The XXH64 of the first `count` bytes of an array.
func xxh64(_ bytes: [UInt8], count: Int? = nil) -> UInt64 {
    bytes.withUnsafeBytes { xxh64(UnsafeRawBufferPointer(rebasing: $0.prefix(count ?? $0.count))) }
}
