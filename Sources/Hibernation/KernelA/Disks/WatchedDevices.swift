// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import BlockStore
import Linux
import MemoryImage

/// Kernel A: what nobody may use between the save and the resume, because kernel A goes on using it from memory.
struct WatchedDevices {
    let catalog: DeviceCatalog
    let topology = BlockTopology()
    /// Devices that are not watched: they are given up before the jump, or are the hibernation partition.
    let excluded: Set<DeviceNumber>
    /// Whether what cannot be watched is left out, with a warning.
    let isUnwatchedAllowed: Bool

    private(set) var devices: [WatchedDevice] = []
    /// What uses block devices, as it was looked at.
    private(set) var uses: [DeviceUse] = []
    /// The disk or partition of each of `devices`.
    private var places: [DeviceNumber] = []
    /// The disks and partitions that they lie on.
    var disks: [DeviceNumber] {
        places.reduce(into: []) { found, place in if !found.contains(place) { found.append(place) } }
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
                "they are on \(devices.count) devices, and an image takes \(ImageDescription.maximumWatchedDevices)",
                remedy: "unmount some")
        }
    }

    /// Refuses a device that does not answer, whatever is allowed: the process that asked it waits for it still, and one that
    /// cannot be interrupted is not frozen for the jump (6.12, kernel/power/process.c, `try_to_freeze_tasks`).
    static func requireAnswers(_ catalog: DeviceCatalog) throws(Failure) {
        guard let path = catalog.unanswered.first else { return }
        throw Failure(
            "watch", path,
            "it does not answer, so nobody can tell whether it is in use, and what waits for it keeps the "
                + "kernel from jumping", remedy: "take it away")
    }

    /// Refuses if kernel B will not have a disk, or leaves out what is on it, with a warning, if that is allowed.
    /// - Parameter requirePresent: throws if kernel B will not have this disk.
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
                let kept = devices.indices.filter { places[$0] != disk }
                devices = kept.map { devices[$0] }
                places = kept.map { places[$0] }
            }
        }
    }

    /// For tests: devices with the disk or partition of each.
    init(_ devices: [(WatchedDevice, DeviceNumber)], _ catalog: DeviceCatalog, isUnwatchedAllowed: Bool) {
        self.catalog = catalog
        excluded = []
        self.isUnwatchedAllowed = isUnwatchedAllowed
        self.devices = devices.map { $0.0 }
        places = devices.map { $0.1 }
    }

    private func refuse(_ failure: Failure, _ findings: inout Findings) throws(Failure) {
        if isUnwatchedAllowed {
            findings.warn("\(failure.operand) is not watched: \(failure.reason)")
            return
        }
        var failure = failure
        if failure.remedy == nil {
            failure.remedy =
                "with --allow-unwatched, a resume does not see whether another system has used it meanwhile"
        }
        throw failure
    }

    /// What has come into use since this was made, and so would not be watched, as a refusal; nil if nothing has.
    static func newUse(
        since uses: [DeviceUse], _ catalog: DeviceCatalog, excluded: Set<DeviceNumber>
    ) throws(Failure) -> Failure? {
        try catalog.refresh()
        try requireAnswers(catalog)
        let usage = try DeviceUsage(catalog)
        let (now, failures) = usage.uses { DeviceNumber(path: $0) }
        // There was none before, or this system would have been refused.
        if let failure = failures.first { return failure }
        for use in now where !isExcluded(use, usage, excluded) && !uses.contains(where: { $0.covers(use) }) {
            if catalog.entry(use.device)?.hasNoMedium ?? false { continue }
            return Failure("hibernate", "", "\(use.user) came into use meanwhile", remedy: "try again")
        }
        return nil
    }

    private static func isExcluded(_ use: DeviceUse, _ usage: DeviceUsage, _ excluded: Set<DeviceNumber>) -> Bool {
        if excluded.contains(use.device) { return true }
        // What holds nothing but excluded devices.
        guard use.purpose == .container, let device = usage.devices.first(where: { $0.number == use.device }) else {
            return false
        }
        return device.holders.allSatisfy { holder in DeviceNumber(path: holder).map { excluded.contains($0) } ?? false }
    }

    private mutating func add(_ use: DeviceUse) throws(Failure) {
        do throws(Failure) {
            if try !topology.isOnDisk(use.device) { return }
            guard let entry = catalog.entry(use.device) else { throw Failure("watch", use.user, "its device is gone") }
            // A drive whose tray somebody watches.
            if entry.hasNoMedium { return }
            if let failure = entry.failure { throw failure }
            let choices = try telltales(of: use, entry)
            guard !choices.isEmpty else {
                throw Failure(
                    "watch", use.user,
                    "a change of \(entry.content.type ?? "what is on it") by another system would not be seen")
            }
            for (number, telltales) in choices.enumerated() {
                do throws(Failure) {
                    try add(use, telltales, entry)
                    return
                } catch {
                    // Less of it may be little enough.
                    if number == choices.count - 1 { throw error }
                }
            }
        } catch {
            if error.operation == "watch" { throw error }
            throw Failure("watch", use.user, error.description)
        }
    }

    /// - Returns: several if less is enough in need; none if nothing is known that shows a change.
    private func telltales(of use: DeviceUse, _ entry: DeviceCatalog.Entry) throws(Failure) -> [Telltales] {
        // As kernel A's own file system sees it, with what that has not written yet.
        let reader = try FileSystemReader(File(entry.path), byteCount: entry.byteCount)
        func telltales(_ type: String) throws(Failure) -> [Telltales] {
            if type.utf8.elementsEqual("btrfs".utf8), isZoned(use.device) {
                throw Failure("watch", use.user, "its superblock moves, as its disk has zones")
            }
            return try Hibernation.telltales(type, isDeviceReadOnly: isReadOnly(use.device), reader).map { [$0] } ?? []
        }
        switch use.purpose {
        case .fileSystem(let type, _): return try telltales(type)
        case .swap(let isUsed): return swapTelltales(isUsed: isUsed, byteCount: entry.byteCount)
        case .container:
            // Metadata of LVM, LUKS and md; what lies behind may be somebody else's. In some versions of md they are at the end.
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
                "watch", use.user, "what would show a change is in memory or in a file, and the rest is on a disk")
        }
        var found: [(place: DeviceNumber, device: WatchedDevice)] = []
        for (device, ranges) in below.sorted(by: { ($0.key.major, $0.key.minor) < ($1.key.major, $1.key.minor) }) {
            guard let disk = catalog.entry(device), disk.failure == nil, let identity = catalog.identity(of: device)
            else {
                throw Failure("watch", use.user, "nothing is known of its disk \(try deviceNode(device))")
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
        places += found.map { $0.place }
    }
}

extension DeviceUse {
    /// Whether what is watched of this use shows what the other one may do as well: swap space that got its first pages is
    /// another use, and so is a file system that can be written to now.
    func covers(_ other: DeviceUse) -> Bool {
        guard device == other.device else { return false }
        switch (purpose, other.purpose) {
        case (.swap(let wasUsed), .swap(let isUsed)): return wasUsed || !isUsed
        case (.fileSystem(let old, let wasReadOnly), .fileSystem(let new, let isReadOnly)):
            return old == new && (!wasReadOnly || isReadOnly)
        // Who holds it may be told in another way, but what is watched is what it contains.
        case (.swap, .fileSystem), (.fileSystem, .swap), (.container, _): return purpose == other.purpose
        default: return true
        }
    }
}
