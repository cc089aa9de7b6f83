// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import BlockStore
import Linux

/// The FAT file systems that the firmware and the boot loader write to (a random seed, boot counters). Kernel A unmounts them
/// before the jump and mounts them again afterwards, so that it has no stale blocks of them in memory.
struct EFIPartitions {
    /// The mounts of such file systems, in an order in which they can be mounted.
    private(set) var mounts: [MountEntry] = []

    /// The block devices of these mounts.
    var devices: Set<DeviceNumber> { Set(mounts.map { $0.device }) }

    private static let folders = ["/boot", "/efi", "/boot/efi"]
    /// The types of the EFI system partition and the extended boot loader partition (GPT), and of the EFI system partition in
    /// an MBR.
    private static let partitionTypes = [
        "c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "bc13c2ff-59e6-4262-a352-b275fd6f7172", "0xef",
    ]

    /// Finds these file systems among the mounts of this process's namespace.
    /// - Parameter table: the text of /proc/self/mountinfo.
    init(_ table: String, partitionType: (DeviceNumber) -> String?) {
        let all = mountEntries(table)
        var devices: Set<DeviceNumber> = []
        for mount in all where mount.type == "vfat" || mount.type == "msdos" {
            let type = partitionType(mount.device)
            if EFIPartitions.folders.contains(mount.target)
                || EFIPartitions.partitionTypes.contains(where: { $0 == type })
            {
                devices.insert(mount.device)
            }
        }
        mounts = EFIPartitions.ordered(all.filter { devices.contains($0.device) })
        mountedUpon = all.filter { other in
            !devices.contains(other.device) && mounts.contains { $0.identifier == other.parent }
        }
    }

    /// Mounts in an order in which they can be mounted: a mount follows the mount that it is on, and a mount of a directory
    /// follows the mount of its whole file system. Otherwise they keep the order of the table. The IDs of mounts give no order,
    /// because the kernel reuses them.
    private static func ordered(_ mounts: [MountEntry]) -> [MountEntry] {
        var left = mounts
        var done: [MountEntry] = []
        while !left.isEmpty {
            let next =
                left.firstIndex { mount in
                    !left.contains { $0.identifier == mount.parent && $0.identifier != mount.identifier }
                        && (mount.root == "/" || whole(mount, done) != nil || whole(mount, left) == nil)
                } ?? 0
            done.append(left.remove(at: next))
        }
        return done
    }

    /// Mounts of other file systems on these mounts.
    private var mountedUpon: [MountEntry] = []

    init(_ catalog: DeviceCatalog) throws(Failure) {
        let table = try readFile("/proc/self/mountinfo", limit: 256 << 20)
        self.init(String(decoding: table, as: UTF8.self)) { catalog.entry($0)?.content.partitionType }
    }

    /// Refuses if a file system could not be unmounted, or could not be mounted again as it was.
    func requireUnused() throws(Failure) {
        for mount in mountedUpon {
            throw busy(
                mounts.first { $0.identifier == mount.parent } ?? mount, "\(mount.target) is mounted on top of it")
        }
        for mount in mounts {
            if mount.root != "/", EFIPartitions.whole(mount, mounts) == nil {
                throw busy(mount, "only its directory \(mount.root) is mounted there")
            }
            if let user = user(of: mount) { throw busy(mount, "\(user) uses it") }
        }
    }

    /// The mount of the whole file system if `mount` shows only a directory of it.
    private static func whole(_ mount: MountEntry, _ mounts: [MountEntry]) -> MountEntry? {
        mounts.first { $0.device == mount.device && $0.root == "/" }
    }

    /// A refusal if an unmounted file system is in use again; nil if none is. An automounter mounts it when a process accesses
    /// its directory.
    func newUse() throws(Failure) -> Failure? {
        let all = mounts.isEmpty ? [] : try mountsOfAllNamespaces()
        return newUse(all) { device in (try? deviceNode(device)).map { isClaimed($0) } ?? false }
    }

    /// - Parameter all: the mounts of all namespaces.
    func newUse(_ all: [MountEntry], isClaimed: (DeviceNumber) -> Bool) -> Failure? {
        for mount in mounts {
            if all.contains(where: { $0.device == mount.device }) {
                return busy(mount, "it has been mounted again")
            }
            if isClaimed(mount.device) { return busy(mount, "something holds it again") }
        }
        return nil
    }

    /// Unmounts all of them. If one cannot be unmounted, this mounts the others again and throws.
    func unmount() throws(Failure) {
        try requireUnused()
        var done: [MountEntry] = []
        do throws(Failure) {
            for mount in mounts.reversed() {
                do throws(Failure) { try unmountFileSystem(mount.target) } catch {
                    throw busy(mount, user(of: mount).map { "\($0) uses it" } ?? error.reason)
                }
                done.append(mount)
            }
            for mount in mounts {
                guard let path = try? deviceNode(mount.device), isClaimed(path) else { continue }
                throw busy(
                    mount,
                    namespaceUser(of: mount).map { "\($0) has it mounted in its own mount namespace" }
                        ?? "something holds it")
            }
        } catch {
            _ = EFIPartitions.mountAgain(done.reversed(), mounts)
            throw error
        }
    }

    /// Mounts all of them again as they were. A mount that was made in between may be stale, so this unmounts it first.
    /// - Returns: a sentence for each failure.
    func restore() -> [String] {
        let table = (try? readFile("/proc/self/mountinfo", limit: 256 << 20)) ?? []
        let devices = devices
        var problems: [String] = []
        for mount in mountEntries(String(decoding: table, as: UTF8.self)).reversed()
        where devices.contains(mount.device) {
            do throws(Failure) { try unmountFileSystem(mount.target) } catch {
                problems.append("\(mount.user) may be stale: \(error)")
            }
        }
        for device in devices {
            if let path = try? deviceNode(device), let file = try? File(path) { dropBuffers(file) }
        }
        return problems + EFIPartitions.mountAgain(mounts, mounts)
    }

    /// - Parameter all: all mounts. They include the mount of the whole file system for each mount of a directory.
    private static func mountAgain(_ mounts: some Sequence<MountEntry>, _ all: [MountEntry]) -> [String] {
        var problems: [String] = []
        for mount in mounts {
            do throws(Failure) {
                if mount.root != "/", let whole = whole(mount, all) {
                    try mount.performBinding((whole.target == "/" ? "" : whole.target) + mount.root)
                } else {
                    try mount.perform()
                }
            } catch {
                problems.append("\(mount.user) is no longer mounted: \(error)")
            }
        }
        return problems
    }

    private func busy(_ mount: MountEntry, _ reason: String) -> Failure {
        Failure(
            "unmount", "\(mount.user), to which the boot loader may write", reason,
            remedy: "end that use, unmount it, or leave it mounted with --allow-unwatched")
    }

    /// A process that uses a file system through an open file, a directory, a program or a library.
    private func user(of mount: MountEntry) -> String? {
        let table = ProcessTable()
        for process in table.processes {
            let folder = "/proc/\(process)"
            var links = ["\(folder)/cwd", "\(folder)/root", "\(folder)/exe"]
            for name in (try? listDirectory("\(folder)/fd")) ?? [] { links.append("\(folder)/fd/\(name)") }
            let number =
                "\(hexadecimal(UInt64(mount.device.major), digits: 2)):\(hexadecimal(UInt64(mount.device.minor), digits: 2))"
            if links.contains(where: { fileSystemDevice($0) == mount.device })
                || table.hasMapping(process, { $0.count > 3 && $0[3].utf8.elementsEqual(number.utf8) })
            {
                return table.describe(process)
            }
        }
        return nil
    }

    /// A process that still has a file system mounted in its mount namespace.
    private func namespaceUser(of mount: MountEntry) -> String? {
        let table = ProcessTable()
        for process in table.processes {
            guard let bytes = try? readFile("/proc/\(process)/mountinfo", limit: 256 << 20) else { continue }
            if mountEntries(String(decoding: bytes, as: UTF8.self)).contains(where: { $0.device == mount.device }) {
                return table.describe(process)
            }
        }
        return nil
    }
}
