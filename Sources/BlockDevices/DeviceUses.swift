// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// A use of a block device by this system.
public struct DeviceUse: Equatable, Sendable {
    public enum Purpose: Equatable, Sendable {
        /// A file system on it is mounted; `type` is the kernel's name of the file system.
        case fileSystem(type: String, isReadOnly: Bool)
        /// It is swap space; `isUsed` if pages are swapped out to it.
        case swap(isUsed: Bool)
        /// Other block devices are on it. They have uses of their own.
        case container
        /// Something has claimed it or has it open. Only its content shows the purpose.
        case unknown
    }

    /// The user's name for messages: `the ext4 file system on /srv`.
    public var user: String
    public var device: DeviceNumber
    public var purpose: Purpose

    public init(user: String, device: DeviceNumber, purpose: Purpose) {
        self.user = user
        self.device = device
        self.purpose = purpose
    }
}

/// The facts from which the uses of block devices follow.
public struct DeviceUsage: Sendable {
    /// A block device.
    public struct Device: Sendable {
        public var number: DeviceNumber
        public var path: String
        /// The disk that a partition is on.
        public var disk: DeviceNumber?
        /// The paths of the block devices on it.
        public var holders: [String]
        /// Whether the kernel refuses an exclusive open: something has claimed it or a part of it.
        public var isClaimed: Bool
        /// The name of a process that has it open, for messages.
        public var opener: String?

        public init(
            _ number: DeviceNumber, path: String, disk: DeviceNumber? = nil, holders: [String] = [],
            isClaimed: Bool = false, opener: String? = nil
        ) {
            self.number = number
            self.path = path
            self.disk = disk
            self.holders = holders
            self.isClaimed = isClaimed
            self.opener = opener
        }
    }

    /// The mounts of all mount namespaces.
    public var mounts: [MountEntry] = []
    public var swaps: [SwapEntry] = []
    /// The devices of each mounted Btrfs (/sys/fs/btrfs).
    public var btrfs: [[DeviceNumber]] = []
    public var devices: [Device] = []
    /// The types of file systems without a block device: `nodev` in /proc/filesystems.
    public var typesWithoutDevice: Set<String> = []

    public init() {}

    /// Finds the devices in use. Each is listed once, with its first user.
    /// - Parameter lookUp: returns the device at a path.
    /// - Returns: the uses, and a failure for each user whose device is unknown.
    public func uses(_ lookUp: (String) -> DeviceNumber?) -> (uses: [DeviceUse], failures: [Failure]) {
        var finder = UseFinder(self)
        finder.findMounts(lookUp)
        finder.findSwaps(lookUp)
        finder.findContainers()
        finder.findClaims()
        finder.findOpen()
        return (finder.uses, finder.failures)
    }
}

private struct UseFinder {
    private let usage: DeviceUsage
    private let devices: [DeviceNumber: DeviceUsage.Device]
    private var explained: Set<DeviceNumber> = []
    private(set) var uses: [DeviceUse] = []
    private(set) var failures: [Failure] = []

    init(_ usage: DeviceUsage) {
        self.usage = usage
        var devices: [DeviceNumber: DeviceUsage.Device] = [:]
        for device in usage.devices { devices[device.number] = device }
        self.devices = devices
    }

    private mutating func add(_ user: String, _ device: DeviceNumber, _ purpose: DeviceUse.Purpose) {
        guard explained.insert(device).inserted else { return }
        guard devices[device] != nil else {
            fail(user, "its block device \(device) does not exist")
            return
        }
        uses.append(DeviceUse(user: user, device: device, purpose: purpose))
    }

    private mutating func fail(_ user: String, _ reason: String) {
        let failure = Failure("watch", user, reason)
        if !failures.contains(where: { $0.description.utf8.elementsEqual(failure.description.utf8) }) {
            failures.append(failure)
        }
    }

    mutating func findMounts(_ lookUp: (String) -> DeviceNumber?) {
        // Btrfs file systems whose source is not one of their devices.
        var unknown: [MountEntry] = []
        for mount in usage.mounts {
            let purpose = DeviceUse.Purpose.fileSystem(type: mount.type, isReadOnly: mount.isReadOnly)
            if mount.device.major != 0 {
                add(mount.user, mount.device, purpose)
                findFurtherDevices(of: mount, purpose, lookUp)
                continue
            }
            let baseType = String(mount.type.split(separator: ".").first ?? "")
            if baseType == "ubifs" {
                fail(mount.user, "it is on raw flash (\(mount.source)), not on a block device")
                continue
            }
            if usage.typesWithoutDevice.contains(baseType) || !UseFinder.mayHaveDevice(baseType, mount.source) {
                continue
            }
            // The file system has an anonymous device number, with the major number 0. Its source names its devices.
            let sources = mount.source.split(separator: ":").map { String($0) }
            let named = sources.compactMap { lookUp($0) }
            if mount.type == "btrfs" {
                let group = named.first.flatMap { first in usage.btrfs.first { $0.contains(first) } }
                if let group {
                    for device in group { add(mount.user, device, purpose) }
                } else if let device = named.first {
                    add(mount.user, device, purpose)
                } else {
                    unknown.append(mount)
                }
            } else if !named.isEmpty, named.count == sources.count {
                for device in named { add(mount.user, device, purpose) }
            } else {
                fail(mount.user, "its block device \(mount.source) does not exist")
            }
        }
        let left = usage.btrfs.filter { group in !group.contains { explained.contains($0) } }
        for group in left {
            let mount = unknown.first
            for device in group {
                add(
                    mount?.user ?? "a mounted btrfs file system", device,
                    .fileSystem(type: "btrfs", isReadOnly: mount?.isReadOnly ?? false))
            }
        }
        // If any Btrfs is left, it belongs to these mounts. If none is left, it may be one that was found before.
        if left.isEmpty, usage.btrfs.isEmpty {
            for mount in unknown { fail(mount.user, "its block device \(mount.source) does not exist") }
        }
    }

    /// Whether a file system with the major number 0, of a type that is not marked `nodev`, is on a block device (6.12).
    ///
    /// Btrfs always is (fs/btrfs/super.c, `set_anon_super_fc`), bcachefs may be. EROFS has the major number 0 if it is mounted
    /// from a file, and then the file system with that file counts (fs/erofs/super.c, `erofs_fc_get_tree`). nsfs and pidfs are
    /// not in /proc/filesystems, because only the kernel mounts them; `ip netns` and snapd bind some of their files (fs/nsfs.c,
    /// `nsfs_init`). ZFS is marked `nodev`, and claims its devices.
    private static func mayHaveDevice(_ type: String, _ source: String) -> Bool {
        switch type {
        case "btrfs", "bcachefs": true
        case "erofs", "nsfs", "pidfs": false
        default: source.utf8.first == UInt8(ascii: "/")
        }
    }

    /// Adds the log device and the realtime device of XFS, which the mount options name.
    private mutating func findFurtherDevices(
        of mount: MountEntry, _ purpose: DeviceUse.Purpose, _ lookUp: (String) -> DeviceNumber?
    ) {
        for option in mount.fileSystemOptions {
            for name in ["logdev=", "rtdev="] where mount.type == "xfs" && option.utf8.starts(with: name.utf8) {
                let path = String(decoding: option.utf8.dropFirst(name.utf8.count), as: UTF8.self)
                guard let device = lookUp(path) else {
                    fail(mount.user, "its block device \(path) does not exist")
                    continue
                }
                let part = name == "logdev=" ? "xfs_external_log" : "xfs_realtime"
                add(mount.user, device, .fileSystem(type: part, isReadOnly: mount.isReadOnly))
            }
        }
    }

    mutating func findSwaps(_ lookUp: (String) -> DeviceNumber?) {
        for swap in usage.swaps {
            let user = "the swap space \(swap.path)"
            guard let device = lookUp(swap.path) else {
                fail(user, "its block device does not exist")
                continue
            }
            add(user, device, .swap(isUsed: swap.isUsed))
        }
    }

    mutating func findContainers() {
        for device in usage.devices where !device.holders.isEmpty {
            add("the block device under \(device.holders.joined(separator: ", "))", device.number, .container)
        }
    }

    /// Adds devices that something else has claimed: ZFS, bcache, a mount in a namespace without processes, ….
    ///
    /// If a partition is claimed, the kernel refuses an exclusive open of its disk too, and if a disk is claimed, of all its
    /// partitions (block/bdev.c, `bd_may_claim`). So a known use of one explains the claim on the other.
    mutating func findClaims() {
        let claimed = usage.devices.filter { $0.isClaimed }
        let known = explained
        for device in claimed where device.disk != nil {
            if let disk = device.disk, known.contains(disk) { continue }
            add("\(device.path), which something in the kernel has claimed", device.number, .unknown)
        }
        for device in claimed where device.disk == nil {
            if usage.devices.contains(where: { $0.disk == device.number && explained.contains($0.number) }) { continue }
            add("\(device.path), which something in the kernel has claimed", device.number, .unknown)
        }
    }

    mutating func findOpen() {
        for device in usage.devices {
            if let opener = device.opener { add("\(device.path), which \(opener) has open", device.number, .unknown) }
        }
    }
}
