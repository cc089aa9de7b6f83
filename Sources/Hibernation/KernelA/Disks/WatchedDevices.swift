// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import BlockStore
import Linux
import MemoryImage

/// The devices that nobody may change between the save and the resume, because kernel A has their contents in memory.
struct WatchedDevices {
    let catalog: DeviceCatalog
    let topology = BlockTopology()
    /// Devices that are not watched: the hibernation partition, and devices that are unmounted before the jump.
    let excluded: Set<DeviceNumber>
    /// Whether a device that cannot be watched causes a warning instead of a refusal.
    let isUnwatchedAllowed: Bool

    private(set) var devices: [WatchedDevice] = []
    /// The uses of block devices from which `devices` follows.
    private(set) var uses: [DeviceUse] = []
    /// The number of the disk or partition of each of `devices`.
    private var numbers: [DeviceNumber] = []
    /// The disks and partitions of `devices`, each once.
    var disks: [DeviceNumber] {
        numbers.reduce(into: []) { found, number in if !found.contains(number) { found.append(number) } }
    }

    init(
        _ catalog: DeviceCatalog, excluded: Set<DeviceNumber>, isUnwatchedAllowed: Bool, _ findings: inout Findings
    ) throws(Failure) {
        self.catalog = catalog
        self.excluded = excluded
        self.isUnwatchedAllowed = isUnwatchedAllowed
        try WatchedDevices.requireAnswers(catalog)
        let usage = try DeviceUsage(catalog)
        let (uses, failures) = usage.uses { DeviceNumber(path: $0) }
        for failure in failures { try refuse(failure, &findings) }
        self.uses = uses.filter { !WatchedDevices.isExcluded($0, usage, excluded) }
        for use in self.uses {
            do throws(Failure) { try add(use) } catch { try refuse(error, &findings) }
        }
        guard devices.count <= ImageDescription.maximumWatchedDevices else {
            throw Failure(
                "watch", "the file systems in use",
                "they are on \(devices.count) devices, and an image can list \(ImageDescription.maximumWatchedDevices)",
                remedy: "unmount some of them")
        }
    }

    /// Refuses a device that does not answer, even if unwatched devices are allowed. The process that has probed it still
    /// waits, and the kernel cannot freeze a process in uninterruptible sleep (6.12, kernel/power/process.c,
    /// `try_to_freeze_tasks`).
    static func requireAnswers(_ catalog: DeviceCatalog) throws(Failure) {
        guard let path = catalog.unanswered.first else { return }
        throw Failure(
            "watch", path,
            "it does not answer: torpor cannot check whether it is in use, and a process that waits for it keeps the kernel "
                + "from jumping", remedy: "detach the device")
    }

    /// Refuses if kernel B will not have one of the disks. If unwatched devices are allowed, this removes the disk's devices
    /// and warns instead.
    /// - Parameter requirePresent: throws if kernel B will not have a disk.
    mutating func leaveOutMissing(
        _ findings: inout Findings, _ requirePresent: (DeviceNumber) throws(Failure) -> Void
    ) throws(Failure) {
        for disk in disks {
            do throws(Failure) { try requirePresent(disk) } catch {
                var failure = error
                failure.remedy =
                    (error.remedy.map { "\($0), or " } ?? "")
                    + "unmount it, or leave it unwatched with --allow-unwatched"
                try refuse(failure, &findings)
                let remaining = devices.indices.filter { numbers[$0] != disk }
                devices = remaining.map { devices[$0] }
                numbers = remaining.map { numbers[$0] }
            }
        }
    }

    /// For tests: devices, each with the number of its disk or partition.
    init(_ devices: [(WatchedDevice, DeviceNumber)], _ catalog: DeviceCatalog, isUnwatchedAllowed: Bool) {
        self.catalog = catalog
        excluded = []
        self.isUnwatchedAllowed = isUnwatchedAllowed
        self.devices = devices.map { $0.0 }
        numbers = devices.map { $0.1 }
    }

    /// Throws the failure, or warns of it if unwatched devices are allowed.
    private func refuse(_ failure: Failure, _ findings: inout Findings) throws(Failure) {
        if isUnwatchedAllowed {
            findings.warn("\(failure.operand) is not checked for outside changes at resume: \(failure.reason)")
            return
        }
        var failure = failure
        if failure.remedy == nil {
            failure.remedy =
                "to hibernate without this check, use --allow-unwatched: a resume then does not notice changes by another "
                + "system"
        }
        throw failure
    }

    /// A refusal if a device has come into use that would not be watched; nil if none has.
    /// - Parameter uses: the uses that are known.
    static func newUse(
        since uses: [DeviceUse], _ catalog: DeviceCatalog, excluded: Set<DeviceNumber>
    ) throws(Failure) -> Failure? {
        try catalog.refresh()
        try requireAnswers(catalog)
        let usage = try DeviceUsage(catalog)
        let (now, failures) = usage.uses { DeviceNumber(path: $0) }
        // A failure is new: an earlier one would have led to a refusal.
        if let failure = failures.first { return failure }
        for use in now where !isExcluded(use, usage, excluded) && !uses.contains(where: { $0.covers(use) }) {
            if catalog.entry(use.device)?.hasNoMedium ?? false { continue }
            return Failure(
                "hibernate", "", "\(use.user) came into use during the preparation", remedy: "try again")
        }
        return nil
    }

    private static func isExcluded(_ use: DeviceUse, _ usage: DeviceUsage, _ excluded: Set<DeviceNumber>) -> Bool {
        if excluded.contains(use.device) { return true }
        // A container is excluded if all devices on it are.
        guard use.purpose == .container, let device = usage.devices.first(where: { $0.number == use.device }) else {
            return false
        }
        return device.holders.allSatisfy { holder in DeviceNumber(path: holder).map { excluded.contains($0) } ?? false }
    }

    private mutating func add(_ use: DeviceUse) throws(Failure) {
        do throws(Failure) {
            if try !topology.isOnDisk(use.device) { return }
            guard let entry = catalog.entry(use.device) else { throw Failure("watch", use.user, "its device is gone") }
            // A program may hold a drive open to see whether a medium is inserted.
            if entry.hasNoMedium { return }
            if let failure = entry.failure { throw failure }
            let choices = try telltales(of: use, entry)
            guard !choices.isEmpty else {
                throw Failure(
                    "watch", use.user,
                    "torpor cannot detect changes of its contents (\(entry.content.type ?? "unknown type")) by another system"
                )
            }
            for (number, telltales) in choices.enumerated() {
                do throws(Failure) {
                    try add(use, telltales, entry)
                    return
                } catch {
                    // The next choice has fewer ranges, so it may succeed.
                    if number == choices.count - 1 { throw error }
                }
            }
        } catch {
            if error.operation == "watch" { throw error }
            throw Failure("watch", use.user, error.description)
        }
    }

    /// The telltales of a use: places on its device that every use by another system changes.
    /// - Returns: choices, the best one first; none if no place is known that shows every change.
    private func telltales(of use: DeviceUse, _ entry: DeviceCatalog.Entry) throws(Failure) -> [Telltales] {
        // Read through the page cache: it has blocks that kernel A's file system has not written yet.
        let reader = try FileSystemReader(File(entry.path), byteCount: entry.byteCount)
        func telltales(_ type: String) throws(Failure) -> [Telltales] {
            if type.utf8.elementsEqual("btrfs".utf8), isZoned(use.device) {
                throw Failure("watch", use.user, "its superblock has no fixed place, because its disk is zoned")
            }
            return try Hibernation.telltales(type, isDeviceReadOnly: isReadOnly(use.device), reader).map { [$0] } ?? []
        }
        switch use.purpose {
        case .fileSystem(let type, _): return try telltales(type)
        case .swap(let isUsed): return swapTelltales(isUsed: isUsed, byteCount: entry.byteCount)
        case .container:
            // The metadata of LVM, LUKS and md: the first MiB, since blocks behind it may belong to other users. Some versions
            // of md have them at the end.
            let end = entry.byteCount
            let isRAID = entry.content.type == "linux_raid_member"
            return [Telltales(ranges: [0..<1 << 20] + (isRAID ? [end - min(end, 128 << 10)..<end] : []))]
        case .unknown:
            guard let type = entry.content.type else { return [] }
            if type == "swap" { return swapTelltales(isUsed: true, byteCount: entry.byteCount) }
            return try telltales(type)
        }
    }

    private mutating func add(
        _ use: DeviceUse, _ telltales: Telltales, _ entry: DeviceCatalog.Entry
    ) throws(Failure) {
        let ranges = telltales.ranges.wholePages(in: 0..<entry.byteCount)
        var below: [DeviceNumber: [DeviceRange]] = [:]
        for extent in try topology.disks(below: use.device, ranges) {
            below[extent.device, default: []].append(extent.bytes)
        }
        guard !below.isEmpty else {
            throw Failure(
                "watch", use.user,
                "it is partly on a disk, but the blocks in which a change would show are in memory or in a file")
        }
        var found: [(number: DeviceNumber, device: WatchedDevice)] = []
        for (device, ranges) in below.sorted(by: { ($0.key.major, $0.key.minor) < ($1.key.major, $1.key.minor) }) {
            guard let disk = catalog.entry(device), disk.failure == nil, let identity = catalog.identity(of: device)
            else {
                throw Failure("watch", use.user, "torpor cannot identify its disk \(try deviceNode(device))")
            }
            let extents = ranges.wholePages(in: 0..<disk.byteCount)
            if case .swap = use.purpose {
                try requireReadable(extents, user: use.user, remedy: "turn it off with swapoff")
            } else {
                try requireReadable(extents, user: use.user)
            }
            let same = catalog.entries(identity)
            found.append(
                (
                    device,
                    WatchedDevice(
                        user: use.user, identity: identity.description, byteCount: disk.byteCount, extents: extents,
                        walk: telltales.areMoving && device == use.device ? .places : .none,
                        fingerprints: same.map { WatchedDevice.Fingerprint(byteCount: $0.byteCount, checksum: 0) })
                ))
        }
        devices += found.map { $0.device }
        numbers += found.map { $0.number }
    }
}

extension DeviceUse {
    /// Whether the telltales of this use also show the changes that matter to another use of the device. Empty swap space does
    /// not cover swap space that contains pages, and a read-only mount does not cover a writable one.
    func covers(_ other: DeviceUse) -> Bool {
        guard device == other.device else { return false }
        switch (purpose, other.purpose) {
        case (.swap(let wasUsed), .swap(let isUsed)): return wasUsed || !isUsed
        case (.fileSystem(let old, let wasReadOnly), .fileSystem(let new, let isReadOnly)):
            return old == new && (!wasReadOnly || isReadOnly)
        // The user may have another description now, but the telltales depend only on the contents.
        case (.swap, .fileSystem), (.fileSystem, .swap), (.container, _): return purpose == other.purpose
        default: return true
        }
    }
}
