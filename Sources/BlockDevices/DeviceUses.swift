// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// A block device that something in this system uses, and what for.
public struct DeviceUse: Equatable, Sendable {
    public enum Purpose: Equatable, Sendable {
        /// A file system is mounted from it; `type` is the kernel's name for it.
        case fileSystem(type: String, isReadOnly: Bool)
        case swap(isUsed: Bool)
        /// Other block devices lie on it, which are used themselves if anybody uses them.
        case container
        /// Somebody holds it, and what for is only to be told from what it contains.
        case unknown
    }

    /// For messages: `the ext4 on /srv`.
    public var user: String
    public var device: DeviceNumber
    public var purpose: Purpose

    public init(user: String, device: DeviceNumber, purpose: Purpose) {
        self.user = user
        self.device = device
        self.purpose = purpose
    }
}

/// All that tells which block devices are in use, as it was read.
public struct DeviceUsage: Sendable {
    /// What is known of a block device.
    public struct Device: Sendable {
        public var number: DeviceNumber
        public var path: String
        /// The disk that a partition is on.
        public var disk: DeviceNumber?
        /// The paths of the block devices that lie on it.
        public var holders: [String]
        /// Whether the kernel refuses to open it exclusively: something has claimed it, or a part of it.
        public var isClaimed: Bool
        /// A process that has it open, for messages.
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
    /// The devices of each Btrfs that is mounted (/sys/fs/btrfs).
    public var btrfs: [[DeviceNumber]] = []
    public var devices: [Device] = []
    /// Types of file systems that have no block device: `nodev` in /proc/filesystems.
    public var typesWithoutDevice: Set<String> = []

    public init() {}

    /// Each device that is in use, once, with the first of what uses it.
    /// - Parameter lookUp: the device at a path.
    /// - Returns: also what uses a device that cannot be told.
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
            fail(user, "its block device \(device) is not there")
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
        /// Btrfs file systems whose source does not tell which they are.
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
                fail(mount.user, "it lies on flash memory, \(mount.source), which is no block device")
                continue
            }
            if usage.typesWithoutDevice.contains(baseType) || !UseFinder.mayHaveDevice(baseType, mount.source) {
                continue
            }
            // A number of its own with the major number 0; the devices are known by another way.
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
                fail(mount.user, "its block device \(mount.source) is not known")
            }
        }
        let left = usage.btrfs.filter { group in !group.contains { explained.contains($0) } }
        for group in left {
            let mount = unknown.first
            for device in group {
                add(
                    mount?.user ?? "a btrfs that is mounted", device,
                    .fileSystem(type: "btrfs", isReadOnly: mount?.isReadOnly ?? false))
            }
        }
        // `left` can only be theirs; with none left, one that was found before may be.
        if left.isEmpty, usage.btrfs.isEmpty {
            for mount in unknown { fail(mount.user, "its block device \(mount.source) is not known") }
        }
    }

    /// Whether a file system with the major number 0, of a type that is not marked `nodev`, lies on a block device (6.12).
    ///
    /// Btrfs always does (fs/btrfs/super.c, `set_anon_super_fc`), and bcachefs may. EROFS has such a number if it is mounted from
    /// a file, and counts as the file system with that file (fs/erofs/super.c, `erofs_fc_get_tree`). What the kernel mounts for
    /// itself is not in /proc/filesystems at all: nsfs and pidfs, of which folders of `ip netns` and of snapd show some
    /// (fs/nsfs.c, `nsfs_init`). ZFS is marked `nodev`, and holds its devices.
    private static func mayHaveDevice(_ type: String, _ source: String) -> Bool {
        switch type {
        case "btrfs", "bcachefs": true
        case "erofs", "nsfs", "pidfs": false
        default: source.utf8.first == UInt8(ascii: "/")
        }
    }

    /// The log and the real-time device of XFS and an external journal are named among the options.
    private mutating func findFurtherDevices(
        of mount: MountEntry, _ purpose: DeviceUse.Purpose, _ lookUp: (String) -> DeviceNumber?
    ) {
        for option in mount.fileSystemOptions {
            for name in ["logdev=", "rtdev="] where mount.type == "xfs" && option.utf8.starts(with: name.utf8) {
                let path = String(decoding: option.utf8.dropFirst(name.utf8.count), as: UTF8.self)
                guard let device = lookUp(path) else {
                    fail(mount.user, "its block device \(path) is not known")
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
                fail(user, "its block device is not there")
                continue
            }
            add(user, device, .swap(isUsed: swap.isUsed))
        }
    }

    mutating func findContainers() {
        for device in usage.devices where !device.holders.isEmpty {
            add("what \(device.holders.joined(separator: ", ")) lies on", device.number, .container)
        }
    }

    /// What has claimed a device and is none of the above: ZFS, bcache, a mount in a namespace that no process is in, ….
    ///
    /// The kernel refuses a disk as well if a partition of it is claimed, and all partitions if the disk is: the part that
    /// is known to be used explains the other (block/bdev.c, `bd_may_claim`).
    mutating func findClaims() {
        let claimed = usage.devices.filter { $0.isClaimed }
        let known = explained
        for device in claimed where device.disk != nil {
            if let disk = device.disk, known.contains(disk) { continue }
            add("\(device.path), which something in the kernel holds", device.number, .unknown)
        }
        for device in claimed where device.disk == nil {
            if usage.devices.contains(where: { $0.disk == device.number && explained.contains($0.number) }) { continue }
            add("\(device.path), which something in the kernel holds", device.number, .unknown)
        }
    }

    mutating func findOpen() {
        for device in usage.devices {
            if let opener = device.opener { add("\(device.path), which \(opener) has open", device.number, .unknown) }
        }
    }
}
