// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux

extension File {
    /// Tells a block device that nobody needs a range any more. The device decides what the range reads as afterwards. A file
    /// in its place gets a hole.
    /// The corresponding ioctl is `BLKDISCARD`.
    /// - Parameter bytes: at multiples of the sector size.
    /// - Returns: false if the device cannot do that.
    public borrowing func discard(_ bytes: DeviceRange) -> Bool {
        torpor_discard(descriptor, bytes.lowerBound, bytes.byteCount) == 0
            || torpor_punch_hole(descriptor, bytes.lowerBound, bytes.byteCount) == 0
    }

    /// Makes a range of a block device zeros: the device does that by itself, or the kernel writes them. In a file, and on a
    /// device that refuses, zeros are written.
    /// The corresponding ioctl is `BLKZEROOUT`.
    /// - Parameter bytes: at multiples of the sector size.
    public borrowing func zeroOut(_ bytes: DeviceRange) throws(Failure) {
        if bytes.isEmpty || torpor_zero_out(descriptor, bytes.lowerBound, bytes.byteCount) == 0 { return }
        let zeros = try Mapping(anonymous: File.zeroByteCount)
        var start = bytes.lowerBound
        while start < bytes.upperBound {
            let count = min(zeros.bytes.count, Int(clamping: bytes.upperBound - start))
            try write(UnsafeRawBufferPointer(rebasing: zeros.bytes[..<count]), at: start)
            start += UInt64(count)
        }
    }

    /// Bytes that `zeroOut` writes at once.
    private static let zeroByteCount = 1 << 20
}
