// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import Linux
import MemoryImage

/// Reads what watched devices hold: in kernel B, while kernel A is frozen, and once more in kernel C.
struct Fingerprints {
    let catalog: DeviceCatalog
    /// How long a device may take to appear.
    let seconds: Int
    let state: ChildState

    /// Kernel B: the devices with what they hold now.
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

    /// Kernel C: refuses if a device does not hold what it held.
    func expectUnchanged(_ devices: [WatchedDevice]) throws(Failure) {
        var paths: [[String]] = []
        try catalog.refresh()
        for device in devices { paths.append(try entries(of: device).map { $0.path }) }
        for (device, (found, paths)) in zip(devices, zip(try read(devices, paths), paths)) {
            if let refusal = Fingerprints.difference(device, found, paths) { throw refusal }
        }
    }

    /// The devices that a watched one's identity means, as soon as there are as many as there were.
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
                        : "of its \(device.fingerprints.count) devices \(identity) only \(entries.count) are there")
            }
            try catalog.refresh()
            sleep(milliseconds: 20)
        }
    }

    /// What kernel A's last writes have made the places of a file system; of cloned disks, those of all.
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

    /// - Parameter paths: for each device those that its identity means.
    /// - Returns: for each device what these hold.
    private func read(
        _ devices: [WatchedDevice], _ paths: [[String]]
    ) throws(Failure) -> [[WatchedDevice.Fingerprint]] {
        var found = paths.map { $0.map { _ in WatchedDevice.Fingerprint(byteCount: 0, checksum: 0) } }
        var pending: Set<String> = []
        for path in paths.joined() { pending.insert(path) }
        // One device after the other, each opened once.
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
            // Around the page cache, so at sectors' boundaries: whole pages, and the rest of the device.
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

    /// Why devices cannot be those that kernel A had, by their sizes; nil if they may be.
    private static func otherSize(_ device: WatchedDevice, _ found: [WatchedDevice.Fingerprint]) -> Failure? {
        var left = found.map { $0.byteCount }
        for size in device.fingerprints.map({ $0.byteCount }) {
            if let number = left.firstIndex(of: size) {
                left.remove(at: number)
            } else if let other = found.first?.byteCount {
                return missing(device, "its device \(device.identity) has \(other) bytes, and had \(size)")
            }
        }
        return nil
    }

    /// Why what was found is not what was there; nil if it is. Copies of what was there are no difference.
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
                    device, "its device \(device.identity) has \(size) bytes, and had \(lost.byteCount)")
            }
            // One that has the name alone is the one that was there. A path, or a name that others share, may mean another.
            let isSure = device.fingerprints.count == 1 && found.count == 1 && !DeviceIdentity(device.identity).isPath
            return Failure(
                "resume", "kernel A", "\(device.user) was used since, on \(device.identity)",
                remedy: isSure
                    ? "the session no longer fits what is there; give it up with torpor discard"
                    : "if it is another disk of the same size, attach the disks as they were; else give the session up with "
                        + "torpor discard",
                isFinal: isSure)
        }
        guard left.contains(where: { !device.fingerprints.contains($0) }) else { return nil }
        return Failure(
            "watch", device.user,
            "there are several devices \(device.identity) that differ: \(paths.joined(separator: ", "))",
            remedy: "attach the disks as they were")
    }

    private static func missing(_ device: WatchedDevice, _ reason: String) -> Failure {
        Failure("watch", device.user, reason, remedy: "attach the disks as they were")
    }
}

/// Refuses places that are too many, or too large, to be read again.
func requireReadable(
    _ extents: [DeviceRange], user: String, remedy: String = "unmount it"
) throws(Failure) {
    let size = extents.reduce(0) { $0 + $1.byteCount }
    if extents.count > WatchedDevice.maximumExtents || size > WatchedDevice.maximumByteCount {
        throw Failure(
            "watch", user, "what would show a change are \(extents.count) places with \(describe(bytes: size))",
            remedy: remedy)
    }
}
