import CLinux

/// Whether all bytes are zero, at the speed of the C library's memcmp(3): bytes equal to themselves one place further on
/// are all equal to the first ones.
public func isZero(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard let start = bytes.baseAddress, !bytes.isEmpty else { return true }
    let head = min(bytes.count, 8)
    for i in 0..<head where bytes[i] != 0 { return false }
    return bytes.count == head || memcmp(start, start + head, bytes.count - head) == 0
}
