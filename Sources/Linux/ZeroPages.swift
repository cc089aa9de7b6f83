// SPDX-License-Identifier: Apache-2.0
import CLinux

/// Whether all bytes are zero: the first 8 are, and the bytes equal themselves shifted by 8. memcmp(3) makes that comparison
/// fast.
public func isZero(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard let start = bytes.baseAddress, !bytes.isEmpty else { return true }
    let head = min(bytes.count, 8)
    for i in 0..<head where bytes[i] != 0 { return false }
    return bytes.count == head || memcmp(start, start + head, bytes.count - head) == 0
}

/// Makes all bytes zero. Memory that is zero already, as most unused memory is after power-on, is only read.
public func clear(_ bytes: UnsafeMutableRawBufferPointer) {
    guard let start = bytes.baseAddress, !isZero(UnsafeRawBufferPointer(bytes)) else { return }
    memset(start, 0, bytes.count)
}
