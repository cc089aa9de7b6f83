// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux

/// The size of an open block device, or of a regular file in its place, and of its sectors.
public struct DeviceGeometry: Sendable {
    /// Bytes in the device.
    public var byteCount: UInt64
    /// Bytes in a logical sector. Calls with `File.Options.direct` must be aligned to it.
    public var sectorSize: Int

    public init(of file: borrowing File) throws(Failure) {
        var status = stat()
        try retrying("stat", file.path) { fstat(file.descriptor, &status) }
        if torpor_is_block_device(status.st_mode) == 0 {
            byteCount = UInt64(max(0, status.st_size))
            sectorSize = 512
            return
        }
        var bytes: UInt64 = 0
        var sector: CInt = 0
        let descriptor = file.descriptor
        try retrying("read the size of", file.path) { torpor_block_size(descriptor, &bytes) }
        try retrying("read the sector size of", file.path) { torpor_logical_sector_size(descriptor, &sector) }
        byteCount = bytes
        sectorSize = Int(sector)
    }
}

/// Whether a path names a block device.
public func isBlockDevice(_ path: String) throws(Failure) -> Bool {
    var status = stat()
    try retrying("look at", path) { stat(path, &status) }
    return torpor_is_block_device(status.st_mode) != 0
}

/// Drops what the page cache holds of a block device. After a resume it is older than the disk.
/// The corresponding ioctl is `BLKFLSBUF`.
public func dropBuffers(_ file: borrowing File) { _ = torpor_flush_buffers(file.descriptor) }
