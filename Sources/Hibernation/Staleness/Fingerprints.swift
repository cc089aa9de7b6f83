// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import Linux
import MemoryImage

/// Takes the fingerprints of watched devices: in kernel B, while kernel A is frozen, and again in kernel C, which compares
/// them.
struct Fingerprints {
    let catalog: DeviceCatalog
    /// Seconds that a device may take to appear.
    let seconds: Int
    let state: ChildState

    /// Kernel B: takes the fingerprints.
    /// - Returns: the devices with their fingerprints, and with new extents if those may have moved.
    /// - Throws: if a device is missing, has another size, or cannot be read.
    func taken(_ devices: [WatchedDevice]) throws(Failure) -> [WatchedDevice] {
        var devices = devices
        var paths: [[String]] = []
        try catalog.refresh()
        for number in devices.indices {
            let entries = try entries(of: devices[number])
            paths.append(entries.map { $0.path })
            if devices[number].walk == .places {
                devices[number].extents = try movingExtents(devices[number], entries)
                devices[number].walk = .none
            }
        }
        let found = try read(devices, paths)
        for number in devices.indices {
            if let failure = Fingerprints.otherSize(devices[number], found[number]) { throw failure }
            devices[number].fingerprints = found[number]
        }
        return devices
    }

    /// Kernel C: compares the fingerprints with kernel B's.
    /// - Throws: if one differs, or if a device is missing or cannot be read.
    func expectUnchanged(_ devices: [WatchedDevice]) throws(Failure) {
        var paths: [[String]] = []
        try catalog.refresh()
        for device in devices { paths.append(try entries(of: device).map { $0.path }) }
        for (device, (found, paths)) in zip(devices, zip(try read(devices, paths), paths)) {
            if let refusal = Fingerprints.difference(device, found, paths) { throw refusal }
        }
    }

    /// The devices that match a watched device's identity. Waits until there are as many as kernel B found.
    private func entries(of device: WatchedDevice) throws(Failure) -> [DeviceCatalog.Entry] {
        let identity = DeviceIdentity(device.identity)
        let start = monotonicMilliseconds()
        while true {
            state.beat()
            let entries = catalog.entries(identity)
            if !entries.isEmpty, entries.count >= device.fingerprints.count { return entries }
            if monotonicMilliseconds() - start >= UInt64(seconds) * 1000 {
                throw Fingerprints.missing(
                    device,
                    entries.isEmpty
                        ? "its device \(identity) is missing\(catalog.unansweredPhrase)"
                        : "only \(entries.count) of its \(device.fingerprints.count) devices \(identity) are present")
            }
            try catalog.refresh()
            sleep(milliseconds: 20)
        }
    }

    /// The extents of a file system after kernel A's last writes; if disks were cloned, those on all of them.
    private func movingExtents(
        _ device: WatchedDevice, _ entries: [DeviceCatalog.Entry]
    ) throws(Failure) -> [DeviceRange] {
        var ranges: [DeviceRange] = []
        for entry in entries where entry.byteCount == device.byteCount {
            let reader = try FileSystemReader(
                File(aroundCache: entry.path), byteCount: entry.byteCount, whileReading: state.beat)
            state.activity = "reading \(entry.path)"
            if let telltales = try telltales(movingType(reader), isDeviceReadOnly: false, reader) {
                ranges += telltales.ranges
            }
        }
        let extents = ranges.wholePages(in: 0..<device.byteCount)
        try requireReadable(extents, user: device.user)
        return extents
    }

    /// Reads the fingerprints.
    /// - Parameter paths: for each device, the paths that match its identity.
    /// - Returns: for each device, the fingerprints of these paths.
    private func read(
        _ devices: [WatchedDevice], _ paths: [[String]]
    ) throws(Failure) -> [[WatchedDevice.Fingerprint]] {
        var found = paths.map { $0.map { _ in WatchedDevice.Fingerprint(byteCount: 0, checksum: 0) } }
        var pending: Set<String> = []
        for path in paths.joined() { pending.insert(path) }
        // Each path is opened once.
        for path in pending.sorted() {
            let file = try File(aroundCache: path)
            let size = try DeviceGeometry(of: file).byteCount
            state.activity = "reading \(path)"
            for number in devices.indices {
                for (place, other) in paths[number].enumerated() where other == path {
                    found[number][place].byteCount = size
                    if size == devices[number].byteCount {
                        found[number][place].checksum = try checksum(devices[number].extents, of: file, size)
                    }
                }
            }
        }
        return found
    }

    private func checksum(
        _ extents: [DeviceRange], of file: borrowing File, _ size: UInt64
    ) throws(Failure) -> UInt64 {
        let piece = UInt64(1 << 20)
        let buffer = try Mapping(anonymous: Int(piece))
        var sum: UInt64 = 0
        for extent in extents {
            // With O_DIRECT, reads are aligned: whole pages, and the remainder at the end of the device.
            var start = extent.lowerBound & ~(pageSize - 1)
            let end = min(size, (extent.upperBound + pageSize - 1) & ~(pageSize - 1))
            while start < end {
                let count = Int(min(piece, end - start))
                let part = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<count])
                try file.read(into: part, at: start)
                sum = xxh64(UnsafeRawBufferPointer(part), seed: sum)
                start += UInt64(count)
                state.beat()
            }
        }
        return sum
    }

    /// Refuses devices that cannot be kernel A's because their sizes differ; nil if they can.
    private static func otherSize(_ device: WatchedDevice, _ found: [WatchedDevice.Fingerprint]) -> Failure? {
        var left = found.map { $0.byteCount }
        for size in device.fingerprints.map({ $0.byteCount }) {
            if let number = left.firstIndex(of: size) {
                left.remove(at: number)
            } else if let other = found.first?.byteCount {
                return missing(device, "its device \(device.identity) has \(other) bytes, but had \(size)")
            }
        }
        return nil
    }

    /// The difference between the present fingerprints and kernel B's; nil if there is none. Additional copies of a device are
    /// not a difference.
    static func difference(
        _ device: WatchedDevice, _ found: [WatchedDevice.Fingerprint], _ paths: [String]
    ) -> Failure? {
        var left = found
        var lost: [WatchedDevice.Fingerprint] = []
        for fingerprint in device.fingerprints {
            if let number = left.firstIndex(of: fingerprint) {
                left.remove(at: number)
            } else {
                lost.append(fingerprint)
            }
        }
        if let lost = lost.first {
            if !found.contains(where: { $0.byteCount == lost.byteCount }), let size = found.first?.byteCount {
                return missing(
                    device, "its device \(device.identity) has \(size) bytes, but had \(lost.byteCount)")
            }
            // An identity that one device has, now and then, is certain. A path, or an identity that several share, may now
            // be another device's.
            let isSure = device.fingerprints.count == 1 && found.count == 1 && !DeviceIdentity(device.identity).isPath
            return Failure(
                "resume", "kernel A", "\(device.user) has changed since hibernation (\(device.identity))",
                remedy: isSure
                    ? "resuming would corrupt it; to drop the session: torpor discard"
                    : "if this is another disk of the same size, attach the disks as they were; else resuming would "
                        + "corrupt it; to drop the session: torpor discard",
                isFinal: isSure)
        }
        guard left.contains(where: { !device.fingerprints.contains($0) }) else { return nil }
        return Failure(
            "watch", device.user,
            "several devices match \(device.identity), but their contents differ: \(paths.joined(separator: ", "))",
            remedy: "attach the disks as they were")
    }

    private static func missing(_ device: WatchedDevice, _ reason: String) -> Failure {
        Failure("watch", device.user, reason, remedy: "attach the disks as they were")
    }
}

/// Refuses extents that are too many, or too large, to be read again in kernel C.
func requireReadable(
    _ extents: [DeviceRange], user: String, remedy: String = "unmount it"
) throws(Failure) {
    let size = extents.reduce(0) { $0 + $1.byteCount }
    if extents.count > WatchedDevice.maximumExtents || size > WatchedDevice.maximumByteCount {
        throw Failure(
            "watch", user,
            "too much of it must be compared at resume: \(extents.count) extents with \(describe(bytes: size))",
            remedy: remedy)
    }
}
