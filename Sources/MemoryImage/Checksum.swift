// SPDX-License-Identifier: Apache-2.0
import CXXHash

/// The XXH64 of bytes (xxHash specification, "XXH64"). It needs only multiplications, so it is as fast as memory on any
/// processor. A change within one aligned word of 8 bytes always changes it.
public func xxh64(_ bytes: UnsafeRawBufferPointer, seed: UInt64 = 0) -> UInt64 {
    torpor_xxh64(bytes.baseAddress, bytes.count, seed)
}

/// The XXH64 of the first `count` bytes of an array.
func xxh64(_ bytes: [UInt8], count: Int? = nil) -> UInt64 {
    bytes.withUnsafeBytes { xxh64(UnsafeRawBufferPointer(rebasing: $0.prefix(count ?? $0.count))) }
}

/// The XXH64 of bytes that come in pieces.
struct StreamedXXH64 {
    private var state = torpor_xxh64_begin(0)

    mutating func add(_ bytes: UnsafeRawBufferPointer) {
        if bytes.count > 0 { torpor_xxh64_add(&state, bytes.baseAddress, bytes.count) }
    }

    /// The checksum of all bytes so far.
    var value: UInt64 { withUnsafePointer(to: state) { torpor_xxh64_sum($0) } }
}
