// SPDX-License-Identifier: Apache-2.0
import CLinux

/// Whether all bytes are zero, at the speed of the C library's memcmp(3): bytes equal to themselves one place further on
/// are all equal to the first ones.
public func isZero(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard let start = bytes.baseAddress, !bytes.isEmpty else { return true }
    let head = min(bytes.count, 8)
    for i in 0..<head where bytes[i] != 0 { return false }
    return bytes.count == head || memcmp(start, start + head, bytes.count - head) == 0
}

/// Makes all bytes zero. Memory that has not been used since power-on mostly is; it is only looked at then.
public func clear(_ bytes: UnsafeMutableRawBufferPointer) {
    guard let start = bytes.baseAddress, !isZero(UnsafeRawBufferPointer(bytes)) else { return }
    memset(start, 0, bytes.count)
}
