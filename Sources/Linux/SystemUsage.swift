import Basics
import CLinux

extension DeviceUsage {
    /// Reads what this system uses.
    /// - Parameter catalog: the devices; of one that does not answer, only what others say of it is known.
    public init(_ catalog: DeviceCatalog) throws(Failure) {
        self.init()
        mounts = try mountsOfAllNamespaces()
        if let text = try? readText("/proc/swaps") { swaps = swapEntries(text) }
        btrfs = btrfsDevices()
        typesWithoutDevice = fileSystemTypesWithoutDevice(try readText("/proc/filesystems"))
        var openers = openBlockDevices()
        if !openers.isEmpty {
            // Programs that look at new devices have them open for a moment.
            sleep(milliseconds: 200)
            let still = openBlockDevices()
            openers = openers.filter { still[$0.key] != nil }
        }
        for entry in catalog.entries {
            let folder = "/sys/dev/block/\(entry.device)"
            var device = Device(entry.device, path: entry.path)
            if exists("\(folder)/partition"), let text = try? readText("\(folder)/../dev") {
                device.disk = DeviceNumber(trimmed(text))
            }
            device.holders = ((try? listDirectory("\(folder)/holders")) ?? []).map { "/dev/\($0)" }
            device.holders += loopDevices(onto: entry.device, catalog)
            if entry.failure?.errno != ErrorNumber.timedOut { device.isClaimed = isClaimed(entry.path) }
            device.opener = openers[entry.device]
            devices.append(device)
        }
    }

    /// Loop devices whose contents are on this device itself, without a file system between.
    private func loopDevices(onto device: DeviceNumber, _ catalog: DeviceCatalog) -> [String] {
        catalog.entries.compactMap { entry in
            guard let text = try? readText("/sys/dev/block/\(entry.device)/loop/backing_file"),
                DeviceNumber(path: trimmed(text)) == device
            else { return nil }
            return entry.path
        }
    }
}

/// Whether the kernel refuses to open a device exclusively.
public func isClaimed(_ path: String) -> Bool {
    do throws(Failure) {
        _ = try File(path, [.exclusive, .nonBlocking])
        return false
    } catch { return error.errno == ErrorNumber.busy }
}

/// The mounts of all mount namespaces that a process is in, each line once.
///
/// A process sees what is below its root folder, so each pair of namespace and root is looked at.
public func mountsOfAllNamespaces() throws(Failure) -> [MountEntry] {
    var seen: Set<String> = []
    var mounts: [MountEntry] = []
    var known: Set<String> = []
    func add(_ table: String) {
        for mount in mountEntries(table) where known.insert("\(mount.device) \(mount.type) \(mount.source)").inserted {
            mounts.append(mount)
        }
    }
    add(String(decoding: try readFile("/proc/self/mountinfo", limit: mountTableLimit), as: UTF8.self))
    for process in ProcessTable().processes {
        let folder = "/proc/\(process)"
        // A process that ends meanwhile has no mounts; a kernel thread has those of the first namespace.
        guard let namespace = readLink("\(folder)/ns/mnt"), let root = readLink("\(folder)/root"),
            seen.insert("\(namespace) \(root)").inserted,
            let bytes = try? readFile("\(folder)/mountinfo", limit: mountTableLimit)
        else { continue }
        add(String(decoding: bytes, as: UTF8.self))
    }
    return mounts
}

private let mountTableLimit = 256 << 20

/// The block devices that processes have open, each with one of them; this process and its children do not count.
private func openBlockDevices() -> [DeviceNumber: String] {
    var open: [DeviceNumber: String] = [:]
    let own = processID()
    let table = ProcessTable()
    for process in table.processes where process != own && parent(of: process) != own {
        for name in (try? listDirectory("/proc/\(process)/fd")) ?? [] {
            var major: UInt32 = 0, minor: UInt32 = 0
            guard torpor_block_device("/proc/\(process)/fd/\(name)", &major, &minor) != 0 else { continue }
            let device = DeviceNumber(major: major, minor: minor)
            if open[device] == nil { open[device] = table.describe(process) }
        }
    }
    return open
}

/// The device number of the file system that a path is on; nil if it cannot be reached. No server is asked.
public func fileSystemDevice(_ path: String) -> DeviceNumber? {
    var major: UInt32 = 0, minor: UInt32 = 0
    guard torpor_file_system(path, &major, &minor) != 0 else { return nil }
    return DeviceNumber(major: major, minor: minor)
}

private func parent(of process: Int32) -> Int32? {
    (try? readText("/proc/\(process)/status")).flatMap { number("PPid", in: $0) }.flatMap { Int32(exactly: $0) }
}

/// The devices of each Btrfs that is mounted: /sys/fs/btrfs/UUID/devices.
private func btrfsDevices() -> [[DeviceNumber]] {
    let top = "/sys/fs/btrfs"
    return ((try? listDirectory(top)) ?? []).compactMap { name in
        let devices = ((try? listDirectory("\(top)/\(name)/devices")) ?? []).compactMap { device in
            (try? readText("\(top)/\(name)/devices/\(device)/dev")).flatMap { DeviceNumber(trimmed($0)) }
        }
        return devices.isEmpty ? nil : devices
    }
}

/// The types that /proc/filesystems marks `nodev`, and `rootfs`: the initial RAM file system is mounted without being
/// registered (6.12, init/do_mounts.c).
func fileSystemTypesWithoutDevice(_ table: String) -> Set<String> {
    var types: Set<String> = ["rootfs"]
    for line in table.split(separator: "\n") {
        let words = line.split(separator: "\t")
        if words.count == 2, words[0].utf8.elementsEqual("nodev".utf8) { types.insert(String(words[1])) }
    }
    return types
}
