// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import MemoryImage

/// Extents of a file system or of swap space that every use by another system changes.
struct Telltales: Equatable {
    /// In bytes from the beginning of the device, half-open.
    var ranges: [DeviceRange]
    /// Whether kernel B must find the extents again, because they may move while kernel A runs.
    var areMoving = false

    /// The first 8 MiB of a device, which identify a read-only file system or a container.
    static let beginning: DeviceRange = 0..<8 << 20

    /// Samples of at most `limit` bytes of a range: all of it if it is not larger, else pieces of 64 KiB, evenly spaced.
    static func samples(of range: DeviceRange, limit: UInt64) -> [DeviceRange] {
        let piece: UInt64 = 64 << 10
        let size = range.byteCount
        if size <= limit || limit < piece { return [range] }
        let count = limit / piece
        let stride = size / count
        return (0..<count).map { number in
            let start = range.lowerBound + number * stride
            return start..<min(start + piece, range.upperBound)
        }
    }
}

/// Finds the telltales of a device: extents that every use by another system changes, without the contents of files. A boot
/// loader may write to the contents at each start, as GRUB does with its environment block, without changing anything else.
/// - Parameters:
///   - type: the name that the kernel or libblkid has for the content.
///   - isDeviceReadOnly: whether the device itself cannot be written.
/// - Returns: nil if no telltales of the type are known.
/// - Throws: if the file system is malformed or cannot be read.
func telltales(_ type: String, isDeviceReadOnly: Bool, _ device: FileSystemReader) throws(Failure) -> Telltales? {
    switch type {
    // The superblock: a writable mount increments its mount count, a replay of the journal clears a flag, and an unmount writes
    // the time (6.12, fs/ext4/super.c, `ext4_setup_super`, `ext4_commit_super`).
    case "ext2", "ext3", "ext4": return Telltales(ranges: [0..<pageSize])
    case "jbd": return Telltales(ranges: [0..<128 << 10])
    // The superblock, with the generation of the tree and of the log that fsync(2) writes. The area around it is reserved for
    // boot loaders (fs/btrfs/fs.h, `BTRFS_DEVICE_RANGE_RESERVED`).
    case "btrfs": return Telltales(ranges: [64 << 10..<68 << 10])
    case "zfs_member": return zfsTelltales(device)
    // Read-only file systems.
    case "squashfs", "erofs", "iso9660", "cramfs", "romfs": return Telltales(ranges: [Telltales.beginning])
    case "crypto_LUKS", "LVM2_member", "linux_raid_member", "xfs_realtime":
        return Telltales(ranges: [Telltales.beginning])
    case "xfs": return try xfsTelltales(device)
    case "xfs_external_log": return Telltales(ranges: XFS.logRanges(0..<device.byteCount))
    case "f2fs": return try f2fsTelltales(device)
    case "vfat", "msdos": return try fatTelltales(device)
    case "exfat": return try exfatTelltales(device)
    default: return isDeviceReadOnly ? Telltales(ranges: [Telltales.beginning]) : nil
    }
}

/// The telltales of ZFS: the name-value lists and the rings of uberblocks in the four labels, two at each end of the device,
/// without the first 16 KiB of each label, which are the boot loader's (OpenZFS, include/sys/vdev_impl.h, `vdev_label_t`).
private func zfsTelltales(_ device: FileSystemReader) -> Telltales {
    let label: UInt64 = 256 << 10, bootLoader: UInt64 = 16 << 10
    let end = device.byteCount / label * label
    let starts = [0, label] + (end >= 4 * label ? [end - 2 * label, end - label] : [])
    return Telltales(ranges: starts.map { $0 + bootLoader..<$0 + label })
}

/// The telltales of swap space: several choices, from the most thorough to the fastest. Swapped pages are part of the session.
/// So if there are any, all of the swap space is compared; if it is large, the beginnings of the clusters in which every system
/// fills it (6.12, mm/swapfile.c, `cluster_alloc_swap_entry`; SWAPFILE_CLUSTER is 512 pages).
func swapTelltales(isUsed: Bool, byteCount: UInt64) -> [Telltales] {
    guard isUsed else { return [Telltales(ranges: [0..<pageSize])] }
    let whole: UInt64 = 1 << 30, cluster: UInt64 = 2 << 20, piece: UInt64 = 64 << 10
    var choices = byteCount <= whole ? [Telltales(ranges: [0..<byteCount])] : []
    var step = cluster
    while step <= whole, step < byteCount {
        let count = (byteCount + step - 1) / step
        if count <= 1 << 14 {
            choices.append(
                Telltales(ranges: (0..<count).map { $0 * step..<min(byteCount, $0 * step + piece) }))
        }
        step *= 2
    }
    return choices.isEmpty ? [Telltales(ranges: [0..<byteCount])] : choices
}
