// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux
import Linux

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
        let claimed = try claimedDevices(
            catalog.entries.filter { $0.failure?.errno != ErrorNumber.timedOut }.map { $0.path })
        for entry in catalog.entries {
            let folder = "/sys/dev/block/\(entry.device)"
            var device = Device(entry.device, path: entry.path)
            if exists("\(folder)/partition"), let text = try? readText("\(folder)/../dev") {
                device.disk = DeviceNumber(trimmed(text))
            }
            device.holders = ((try? listDirectory("\(folder)/holders")) ?? []).map { "/dev/\($0)" }
            device.holders += loopDevices(onto: entry.device, catalog)
            device.isClaimed = claimed.contains(entry.path)
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

/// Those of the devices that the kernel refuses to open exclusively.
/// - Throws: if one does not answer: its drive may be asked for its medium.
private func claimedDevices(_ paths: [String]) throws(Failure) -> Set<String> {
    let probe = IsolatedProbe(seconds: DeviceCatalog.standardSeconds) { (path) in
        var answer = DeviceAnswer()
        if isClaimed(path) { answer.hardware = "claimed" }
        return answer
    }
    var claimed: Set<String> = []
    for (path, answer) in zip(paths, try probe.run(paths, willAsk: { _ in })) {
        if let failure = answer.failure {
            throw Failure("watch", path, failure.reason, remedy: "take it away", errno: failure.errno)
        }
        if answer.hardware != nil { claimed.insert(path) }
    }
    return claimed
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

/// The block devices that processes have open or mapped, each with one of them; this process and its children do not count.
private func openBlockDevices() -> [DeviceNumber: String] {
    var open: [DeviceNumber: String] = [:]
    let own = processID()
    let table = ProcessTable()
    var mapped = MappedFiles()
    for process in table.processes where process != own && parent(of: process) != own {
        let folder = "/proc/\(process)"
        for name in (try? listDirectory("\(folder)/fd")) ?? [] {
            guard let device = blockDevice("\(folder)/fd/\(name)"), open[device] == nil,
                !isPathOnly((try? readText("\(folder)/fdinfo/\(name)")) ?? "")
            else { continue }
            open[device] = table.describe(process)
        }
        for name in mapped.unseen((try? readFile("\(folder)/maps", limit: mapsLimit)) ?? []) {
            if let device = blockDevice("\(folder)/map_files/\(name)"), open[device] == nil {
                open[device] = table.describe(process)
            }
        }
    }
    return open
}

private let mapsLimit = 64 << 20

/// The number of the block device that a link in /proc leads to; nil for anything else. The device is not opened.
private func blockDevice(_ path: String) -> DeviceNumber? {
    var major: UInt32 = 0, minor: UInt32 = 0
    guard torpor_block_device(path, &major, &minor) != 0 else { return nil }
    return DeviceNumber(major: major, minor: minor)
}

/// Whether a descriptor was opened with O_PATH, so that it does not use what is there.
/// - Parameter information: as /proc/PID/fdinfo has it: `flags` in octal digits (proc_pid_fdinfo(5)).
func isPathOnly(_ information: String) -> Bool {
    for line in information.split(separator: "\n") where line.utf8.starts(with: "flags:".utf8) {
        var flags: UInt64 = 0
        for digit in line.utf8.dropFirst(6) where (UInt8(ascii: "0")...UInt8(ascii: "7")).contains(digit) {
            flags = flags << 3 | UInt64(digit - UInt8(ascii: "0"))
        }
        return flags & 0o10_000_000 != 0
    }
    return false
}

/// Files that processes have mapped, each looked at once: a mapping outlives the descriptor it was made with.
struct MappedFiles {
    private var seen: Set<String> = []

    /// The names in /proc/PID/map_files of a process's mappings of files that no process before it has mapped.
    /// - Parameter table: as /proc/PID/maps has it (proc_pid_maps(5)): `7f0000-7f1000 rw-s 00000000 00:06 123 /dev/sda1`.
    mutating func unseen(_ table: [UInt8]) -> [String] {
        var names: [String] = []
        for line in table.split(separator: UInt8(ascii: "\n")) {
            let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 5)
            // Memory without a file has the inode 0.
            guard fields.count == 6, !fields[4].elementsEqual("0".utf8),
                seen.insert("\(text(fields[3])) \(text(fields[4]))").inserted
            else { continue }
            // Addresses have no zeros in front there (fs/proc/base.c, `proc_map_files_readdir`).
            let bounds = fields[0].split(separator: UInt8(ascii: "-")).map { text($0.drop { $0 == UInt8(ascii: "0") }) }
            if bounds.count == 2 { names.append("\(bounds[0])-\(bounds[1])") }
        }
        return names
    }

    private func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }
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
