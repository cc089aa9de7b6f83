// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import BlockStore
import Linux

/// The FAT file systems that the firmware and the boot loader write to themselves (a random seed, counted boots): kernel A
/// gives them up for the time of the jump, so that it has nothing of them in memory that could be stale afterwards.
struct EFIPartitions {
    /// The mounts of such file systems, in an order in which they can be made.
    private(set) var mounts: [MountEntry] = []

    /// The devices that they are mounted from.
    var devices: Set<DeviceNumber> { Set(mounts.map { $0.device }) }

    private static let folders = ["/boot", "/efi", "/boot/efi"]
    /// EFI system partition, extended boot loader partition (GPT), and the former in an MBR.
    private static let partitionTypes = [
        "c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "bc13c2ff-59e6-4262-a352-b275fd6f7172", "0xef",
    ]

    /// Finds them among the mounts of this process's namespace.
    /// - Parameter table: as /proc/self/mountinfo has it.
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
        covered = all.filter { other in
            !devices.contains(other.device) && mounts.contains { $0.identifier == other.parent }
        }
    }

    /// Mounts in the order of the table, but each behind the one that it lies upon, and one that shows a folder behind one that
    /// shows all. The numbers of mounts tell nothing: they are used again.
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

    /// Mounts upon them.
    private var covered: [MountEntry] = []

    init(_ catalog: DeviceCatalog) throws(Failure) {
        let table = try readFile("/proc/self/mountinfo", limit: 256 << 20)
        self.init(String(decoding: table, as: UTF8.self)) { catalog.entry($0)?.content.partitionType }
    }

    /// Refuses what could not be unmounted, or not mounted again as it was.
    func requireUnused() throws(Failure) {
        for mount in covered {
            throw busy(mounts.first { $0.identifier == mount.parent } ?? mount, "\(mount.target) is mounted upon it")
        }
        for mount in mounts {
            if mount.root != "/", EFIPartitions.whole(mount, mounts) == nil {
                throw busy(mount, "only its folder \(mount.root) is mounted there")
            }
            if let user = user(of: mount) { throw busy(mount, "\(user) uses it") }
        }
    }

    /// The mount of all of the file system of which another one shows a folder.
    private static func whole(_ mount: MountEntry, _ mounts: [MountEntry]) -> MountEntry? {
        mounts.first { $0.device == mount.device && $0.root == "/" }
    }

    /// Who uses them again although they were unmounted, as a refusal; nil if nobody does. An automounter mounts them for whoever
    /// looks into their folders.
    func newUse() throws(Failure) -> Failure? {
        let all = mounts.isEmpty ? [] : try mountsOfAllNamespaces()
        return newUse(all) { device in (try? deviceNode(device)).map { isClaimed($0) } ?? false }
    }

    /// - Parameter all: the mounts of all namespaces.
    func newUse(_ all: [MountEntry], isClaimed: (DeviceNumber) -> Bool) -> Failure? {
        for mount in mounts {
            if all.contains(where: { $0.device == mount.device }) {
                return busy(mount, "it was mounted again meanwhile")
            }
            if isClaimed(mount.device) { return busy(mount, "something holds it again") }
        }
        return nil
    }

    /// Unmounts them; if one cannot be, those that were are mounted again.
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
                    namespaceUser(of: mount).map { "\($0) has it mounted for itself" } ?? "something holds it")
            }
        } catch {
            _ = EFIPartitions.mountAgain(done.reversed(), mounts)
            throw error
        }
    }

    /// Mounts them again as they were. What somebody has mounted meanwhile is unmounted first, as it may be stale.
    /// - Returns: why some could not be, as a sentence each.
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

    /// - Parameter all: among which is that of the whole file system if one of the mounts shows a folder.
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
                problems.append("\(mount.user) is not mounted any more: \(error)")
            }
        }
        return problems
    }

    private func busy(_ mount: MountEntry, _ reason: String) -> Failure {
        Failure(
            "unmount", "\(mount.user), to which the boot loader may write", reason,
            remedy: "end that use or unmount it, or leave it so with --allow-unwatched")
    }

    /// A process that uses a file system: its files, its folders, or a program or library from there.
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

    /// A process in whose mount namespace a file system is still mounted.
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
