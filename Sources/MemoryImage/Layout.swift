// SPDX-License-Identifier: Apache-2.0

/// Bytes in a block of the partition. Every structure begins at a multiple of it.
public let blockSize = 4096

/// A number of bytes, rounded up to whole blocks.
func roundedUpToBlock(_ count: Int) -> Int { (count + blockSize - 1) / blockSize * blockSize }
