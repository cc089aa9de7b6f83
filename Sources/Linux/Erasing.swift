// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux

extension File {
    /// Tells a block device that nobody needs a range any more; what it reads as then is up to the device. A file in its place
    /// gets a hole. The corresponding ioctl is `BLKDISCARD`.
    /// - Parameter bytes: at multiples of the sector size.
    /// - Returns: false if the device cannot do that.
    public borrowing func discard(_ bytes: DeviceRange) -> Bool {
        let length = bytes.upperBound - bytes.lowerBound
        return torpor_discard(descriptor, bytes.lowerBound, length) == 0
            || torpor_punch_hole(descriptor, bytes.lowerBound, length) == 0
    }

    /// Makes a range of a block device zeros: the device does that by itself, or the kernel writes them. In a file in its
    /// place they are written. The corresponding ioctl is `BLKZEROOUT`.
    /// - Parameters:
    ///   - bytes: at multiples of the sector size.
    ///   - zeros: zeros to write with, page-aligned.
    public borrowing func zeroOut(_ bytes: DeviceRange, with zeros: UnsafeRawBufferPointer) throws(Failure) {
        if bytes.isEmpty || torpor_zero_out(descriptor, bytes.lowerBound, bytes.upperBound - bytes.lowerBound) == 0 {
            return
        }
        var start = bytes.lowerBound
        while start < bytes.upperBound, !zeros.isEmpty {
            let count = min(UInt64(zeros.count), bytes.upperBound - start)
            try write(UnsafeRawBufferPointer(rebasing: zeros[..<Int(count)]), at: start)
            start += count
        }
    }
}
