import Basics
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
    /// The disks and partitions that they lie on.
    private(set) var disks: [DeviceNumber] = []

    init(
        _ catalog: DeviceCatalog, excluded: Set<DeviceNumber>, isUnwatchedAllowed: Bool, _ findings: inout Findings
    ) throws(Failure) {
        self.catalog = catalog
        self.excluded = excluded
        self.isUnwatchedAllowed = isUnwatchedAllowed
        for path in catalog.unanswered {
            try refuse(
                Failure(
                    "watch", path, "it does not answer, so nobody can tell whether it is in use",
                    remedy: "take it away, or leave it unwatched with --allow-unwatched"), &findings)
        }
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

    /// Refuses if something has come into use since this was made: it would not be watched.
    static func requireNothingNew(
        since uses: [DeviceUse], _ catalog: DeviceCatalog, excluded: Set<DeviceNumber>
    ) throws(Failure) {
        try catalog.refresh()
        let usage = try DeviceUsage(catalog)
        let (now, _) = usage.uses { DeviceNumber(path: $0) }
        for use in now where !isExcluded(use, usage, excluded) && !uses.contains(where: { $0.covers(use) }) {
            throw Failure("hibernate", "", "\(use.user) came into use meanwhile", remedy: "try again")
        }
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
            // Nothing of it is on a disk.
            if try topology.disks(below: use.device, [0..<pageSize]).isEmpty { return }
            guard let entry = catalog.entry(use.device) else { throw Failure("watch", use.user, "its device is gone") }
            if let failure = entry.failure { throw failure }
            guard let telltales = try telltales(of: use, entry) else {
                throw Failure(
                    "watch", use.user,
                    "a change of \(entry.content.type ?? "what is on it") by another system would not be seen")
            }
            try add(use, telltales, entry)
        } catch {
            if error.operation == "watch" { throw error }
            throw Failure("watch", use.user, error.description)
        }
    }

    /// - Returns: nil if nothing is known that shows a change.
    private func telltales(of use: DeviceUse, _ entry: DeviceCatalog.Entry) throws(Failure) -> Telltales? {
        // As kernel A's own file system sees it, with what that has not written yet.
        let reader = try FileSystemReader(File(entry.path), byteCount: entry.byteCount)
        switch use.purpose {
        case .fileSystem(let type, let isReadOnly):
            return try Hibernation.telltales(type, isReadOnly: isReadOnly, reader)
        case .swap(let isUsed): return swapTelltales(isUsed: isUsed, byteCount: entry.byteCount)
        case .container:
            // Metadata of LVM, LUKS and md; what lies behind may be somebody else's. In some versions of md they are at the end.
            let end = entry.byteCount
            let isRAID = entry.content.type == "linux_raid_member"
            return Telltales(ranges: [0..<1 << 20] + (isRAID ? [end - min(end, 128 << 10)..<end] : []))
        case .unknown:
            guard let type = entry.content.type else { return nil }
            if type == "swap" { return swapTelltales(isUsed: true, byteCount: entry.byteCount) }
            return try Hibernation.telltales(type, isReadOnly: false, reader)
        }
    }

    private mutating func add(
        _ use: DeviceUse, _ telltales: Telltales, _ entry: DeviceCatalog.Entry
    ) throws(Failure) {
        let ranges = telltales.ranges.wholePages(in: 0..<entry.byteCount)
        var below: [DeviceNumber: [Range<UInt64>]] = [:]
        for extent in try topology.disks(below: use.device, ranges) {
            below[extent.device, default: []].append(extent.bytes)
        }
        for (device, ranges) in below.sorted(by: { ($0.key.major, $0.key.minor) < ($1.key.major, $1.key.minor) }) {
            guard let disk = catalog.entry(device), disk.failure == nil, let identity = catalog.identity(of: device)
            else {
                throw Failure("watch", use.user, "nothing is known of its disk \(try deviceNode(device))")
            }
            let extents = ranges.wholePages(in: 0..<disk.byteCount)
            try requireReadable(extents, user: use.user)
            let same = catalog.entries(identity)
            devices.append(
                WatchedDevice(
                    user: use.user, identity: identity.description, byteCount: disk.byteCount, extents: extents,
                    walk: telltales.areMoving && device == use.device ? .places : .none,
                    fingerprints: same.map { WatchedDevice.Fingerprint(byteCount: $0.byteCount, checksum: 0) }))
            if !disks.contains(device) { disks.append(device) }
        }
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
