// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import MemoryImage

/// What shows that a file system or swap space was used.
struct Telltales: Equatable {
    /// In bytes from the beginning of the device.
    var ranges: [DeviceRange]
    /// Whether kernel B has to find the places once more, as they may change as long as kernel A runs.
    var areMoving = false

    /// The beginning of a device: what it shows of a read-only file system or of a container.
    static let beginning: DeviceRange = 0..<8 << 20

    /// Places of at most `limit` bytes in a range: all of it if it is not larger, else pieces of 64 KiB, evenly spaced.
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

/// What shows that something on a device was used: places that each use by another system changes, and none that hold the
/// contents of files. A boot loader writes those at each start, as GRUB does with its environment block, and nobody else.
/// - Parameters:
///   - type: as the kernel or libblkid calls it.
///   - isDeviceReadOnly: whether nobody can write to the device, whatever is on it.
/// - Returns: nil if nothing is known that shows it.
func telltales(_ type: String, isDeviceReadOnly: Bool, _ device: FileSystemReader) throws(Failure) -> Telltales? {
    switch type {
    // The superblock: a mount that can write counts itself there, a replay of the journal clears a mark, and an unmount writes
    // the time (6.12, fs/ext4/super.c, `ext4_setup_super`, `ext4_commit_super`).
    case "ext2", "ext3", "ext4": return Telltales(ranges: [0..<pageSize])
    case "jbd": return Telltales(ranges: [0..<128 << 10])
    // The superblock, with the generation of the tree and of the log that fsync(2) writes. What lies around it is left to boot
    // loaders (fs/btrfs/fs.h, `BTRFS_DEVICE_RANGE_RESERVED`).
    case "btrfs": return Telltales(ranges: [64 << 10..<68 << 10])
    case "zfs_member": return zfsTelltales(device)
    // Nobody writes to them.
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

/// The names and the rings of uberblocks in the four labels, two at each end, without the boot loader's 16 KiB in front of
/// each (OpenZFS, include/sys/vdev_impl.h, `vdev_label_t`).
private func zfsTelltales(_ device: FileSystemReader) -> Telltales {
    let label: UInt64 = 256 << 10, bootLoader: UInt64 = 16 << 10
    let end = device.byteCount / label * label
    let starts = [0, label] + (end >= 4 * label ? [end - 2 * label, end - label] : [])
    return Telltales(ranges: starts.map { $0 + bootLoader..<$0 + label })
}

/// What shows that swap space was used, from what shows most to what is read the fastest. Pages in it are a part of the
/// session, so if there are some, all of it is looked at, or, if it is large, the beginnings of the clusters in which every
/// system fills it (6.12, mm/swapfile.c, `cluster_alloc_swap_entry`; SWAPFILE_CLUSTER is 512 pages).
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
