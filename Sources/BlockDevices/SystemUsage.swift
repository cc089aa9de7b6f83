// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux
import Linux

extension DeviceUsage {
    /// Reads this system's usage of block devices.
    /// - Parameter catalog: the devices. A device that does not answer is not opened; its uses come from the other tables only.
    public init(_ catalog: DeviceCatalog) throws(Failure) {
        self.init()
        mounts = try mountsOfAllNamespaces()
        if let text = try? readText("/proc/swaps") { swaps = swapEntries(text) }
        btrfs = btrfsDevices()
        typesWithoutDevice = fileSystemTypesWithoutDevice(try readText("/proc/filesystems"))
        var openers = openBlockDevices()
        if !openers.isEmpty {
            // Programs such as udev open new devices for a moment.
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

    /// The loop devices that are directly on a device, without a file system between.
    private func loopDevices(onto device: DeviceNumber, _ catalog: DeviceCatalog) -> [String] {
        catalog.entries.compactMap { entry in
            guard let text = try? readText("/sys/dev/block/\(entry.device)/loop/backing_file"),
                DeviceNumber(path: trimmed(text)) == device
            else { return nil }
            return entry.path
        }
    }
}

/// The devices that the kernel refuses to open exclusively.
/// - Throws: if a device does not answer: opening it may ask its drive for the medium.
private func claimedDevices(_ paths: [String]) throws(Failure) -> Set<String> {
    let probe = IsolatedProbe(seconds: DeviceCatalog.standardSeconds) { (path) in
        var answer = DeviceAnswer()
        if isClaimed(path) { answer.hardware = "claimed" }
        return answer
    }
    var claimed: Set<String> = []
    for (path, answer) in zip(paths, try probe.run(paths, willAsk: { _ in })) {
        if let failure = answer.failure {
            throw Failure("watch", path, failure.reason, remedy: "disconnect the device", errno: failure.errno)
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

/// The mounts of all mount namespaces with a process in them, without duplicates.
///
/// A process's table lists only the mounts below its root folder, so one table is read for each pair of namespace and root.
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
        // A process may end while it is read. Kernel threads are in the initial namespace.
        guard let namespace = readLink("\(folder)/ns/mnt"), let root = readLink("\(folder)/root"),
            seen.insert("\(namespace) \(root)").inserted,
            let bytes = try? readFile("\(folder)/mountinfo", limit: mountTableLimit)
        else { continue }
        add(String(decoding: bytes, as: UTF8.self))
    }
    return mounts
}

private let mountTableLimit = 256 << 20

/// The block devices that other processes have open or mapped, each with the name of one process. This process's children do
/// not count.
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

/// The number of the block device at the end of a link in /proc; nil for anything else. The device is not opened.
private func blockDevice(_ path: String) -> DeviceNumber? {
    var major: UInt32 = 0, minor: UInt32 = 0
    guard torpor_block_device(path, &major, &minor) != 0 else { return nil }
    return DeviceNumber(major: major, minor: minor)
}

/// Whether a descriptor was opened with O_PATH, so that it does not use the device.
/// - Parameter information: the text of /proc/PID/fdinfo/FD, with `flags` in octal digits (proc_pid_fdinfo(5)).
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

/// The files that processes have mapped, each listed once. A mapping outlives its file descriptor.
struct MappedFiles {
    private var seen: Set<String> = []

    /// The names in /proc/PID/map_files of a process's mappings of files that were not seen before.
    /// - Parameter table: /proc/PID/maps (proc_pid_maps(5)): `7f0000-7f1000 rw-s 00000000 00:06 123 /dev/sda1`.
    mutating func unseen(_ table: [UInt8]) -> [String] {
        var names: [String] = []
        for line in table.split(separator: UInt8(ascii: "\n")) {
            let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 5)
            // Memory without a file has the inode 0.
            guard fields.count == 6, !fields[4].elementsEqual("0".utf8),
                seen.insert("\(text(fields[3])) \(text(fields[4]))").inserted
            else { continue }
            // The names have no leading zeros (fs/proc/base.c, `proc_map_files_readdir`).
            let bounds = fields[0].split(separator: UInt8(ascii: "-")).map { text($0.drop { $0 == UInt8(ascii: "0") }) }
            if bounds.count == 2 { names.append("\(bounds[0])-\(bounds[1])") }
        }
        return names
    }

    private func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }
}

/// The device number of the file system at a path; nil if the path cannot be reached. Does not ask a network file system's
/// server.
public func fileSystemDevice(_ path: String) -> DeviceNumber? {
    var major: UInt32 = 0, minor: UInt32 = 0
    guard torpor_file_system(path, &major, &minor) != 0 else { return nil }
    return DeviceNumber(major: major, minor: minor)
}

private func parent(of process: Int32) -> Int32? {
    (try? readText("/proc/\(process)/status")).flatMap { number("PPid", in: $0) }.flatMap { Int32(exactly: $0) }
}

/// The devices of each mounted Btrfs: /sys/fs/btrfs/UUID/devices.
private func btrfsDevices() -> [[DeviceNumber]] {
    let top = "/sys/fs/btrfs"
    return ((try? listDirectory(top)) ?? []).compactMap { name in
        let devices = ((try? listDirectory("\(top)/\(name)/devices")) ?? []).compactMap { device in
            (try? readText("\(top)/\(name)/devices/\(device)/dev")).flatMap { DeviceNumber(trimmed($0)) }
        }
        return devices.isEmpty ? nil : devices
    }
}

/// The types that /proc/filesystems marks `nodev`, and `rootfs`: the kernel mounts the initial RAM file system without
/// registering its type (6.12, init/do_mounts.c).
func fileSystemTypesWithoutDevice(_ table: String) -> Set<String> {
    var types: Set<String> = ["rootfs"]
    for line in table.split(separator: "\n") {
        let words = line.split(separator: "\t")
        if words.count == 2, words[0].utf8.elementsEqual("nodev".utf8) { types.insert(String(words[1])) }
    }
    return types
}
