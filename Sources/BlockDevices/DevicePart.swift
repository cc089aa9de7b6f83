// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// An offset on a device.
struct DevicePlace: Equatable, Sendable {
    var device: DeviceNumber
    /// In bytes.
    var offset: UInt64
}

/// A part of a block device, and its mapping to the devices below.
struct DevicePart: Equatable, Sendable {
    enum Layout: Equatable, Sendable {
        /// Each of the places has all bytes, in the same order.
        case copies([DevicePlace])
        /// The bytes are striped over the places in chunks of `chunk` bytes. A row has one chunk on each place. It holds the
        /// data of `chunks / copies` chunks: fewer than there are places if there is parity or if chunks have copies.
        case rows(chunk: UInt64, chunks: UInt64, copies: UInt64, [DevicePlace])
        /// The mapping is unknown, for this reason.
        case hidden(String)
    }

    /// The part, in bytes from the device's beginning.
    var bytes: DeviceRange
    var layout: Layout

    init(bytes: DeviceRange, _ layout: Layout) {
        self.bytes = bytes
        self.layout = layout
    }

    /// Maps the intersection of a range with this part to the devices below.
    /// - Throws: if the mapping is unknown or malformed.
    func places(of range: DeviceRange, _ device: DeviceNumber) throws(Failure) -> [BlockDeviceExtent] {
        let inside = range.clamped(to: bytes)
        if inside.isEmpty { return [] }
        let start = inside.lowerBound - bytes.lowerBound, end = inside.upperBound - bytes.lowerBound
        var result: [BlockDeviceExtent] = []
        func add(_ place: DevicePlace, _ start: UInt64, _ end: UInt64) throws(Failure) {
            let (first, overflow) = place.offset.addingReportingOverflow(start)
            let (last, carry) = place.offset.addingReportingOverflow(end)
            guard !overflow, !carry else { throw malformedTable(device) }
            result.append(BlockDeviceExtent(device: place.device, bytes: first..<last))
        }
        switch layout {
        case .copies(let places):
            for place in places { try add(place, start, end) }
        case .rows(let chunk, let chunks, let copies, let places):
            guard chunk > 0, chunks > 0, copies > 0, end / chunk < 1 << 40, copies < 1 << 16 else {
                throw malformedTable(device)
            }
            let firstRow = start / chunk * copies / chunks
            let lastRow = ((end - 1) / chunk * copies + copies - 1) / chunks
            for place in places { try add(place, firstRow * chunk, (lastRow + 1) * chunk) }
        case .hidden(let reason): throw unmapped(device, reason)
        }
        return result
    }
}

/// The parts of a device-mapper device, from its table as `dmsetup table` prints it (Documentation/admin-guide/device-mapper).
/// - Throws: if the table is malformed, or if the mapping of a target is unknown.
func parts(ofTable table: String, _ device: DeviceNumber) throws(Failure) -> [DevicePart] {
    var result: [DevicePart] = []
    for line in table.split(separator: "\n") {
        let words = line.split(separator: " ")
        guard words.count > 2, let start = byteCount(ofSectors: words[0]), let count = byteCount(ofSectors: words[1])
        else { throw malformedTable(device) }
        if let layout = try layout(words[2], words.dropFirst(3).map { String($0) }, device) {
            result.append(DevicePart(bytes: start..<start + count, layout))
        }
    }
    return result
}

/// The mapping of a device-mapper target.
/// - Parameter words: the fields after the target's type.
/// - Returns: nil for a target without contents.
private func layout(
    _ type: Substring, _ words: [String], _ device: DeviceNumber
) throws(Failure) -> DevicePart.Layout? {
    func place(_ number: Int, _ offset: String? = nil) throws(Failure) -> DevicePlace {
        guard number < words.count, let below = DeviceNumber(words[number]),
            let offset = byteCount(ofSectors: offset ?? (number + 1 < words.count ? words[number + 1] : ""))
        else { throw malformedTable(device) }
        return DevicePlace(device: below, offset: offset)
    }
    switch type {
    // DEVICE OFFSET …
    case "linear", "delay", "flakey": return .copies([try place(0)])
    // CIPHER KEY IV_OFFSET DEVICE OFFSET
    case "crypt": return .copies([try place(3)])
    // VERSION DEVICE HASH_DEVICE …: the data begin at the device's beginning
    case "verity": return .copies([try place(1, "0")])
    // DEVICE …: the whole device
    case "snapshot-origin", "log-writes": return .copies([try place(0, "0")])
    case "zero", "error": return nil
    // STRIPES CHUNK (DEVICE OFFSET)…
    case "striped":
        guard words.count > 1, let chunk = byteCount(ofSectors: words[1]), words.count % 2 == 0 else {
            throw malformedTable(device)
        }
        var places: [DevicePlace] = []
        for number in stride(from: 2, to: words.count, by: 2) { places.append(try place(number)) }
        return .rows(chunk: chunk, chunks: UInt64(places.count), copies: 1, places)
    // LOG_TYPE ARGUMENTS … MIRRORS (DEVICE OFFSET)…
    case "mirror":
        guard words.count > 1, let arguments = parseNumber(words[1]), arguments < 16 else {
            throw malformedTable(device)
        }
        let first = 2 + Int(arguments)
        guard first < words.count, let mirrors = parseNumber(words[first]), mirrors > 0, mirrors < 64 else {
            throw malformedTable(device)
        }
        var places: [DevicePlace] = []
        for number in 0..<Int(mirrors) { places.append(try place(first + 1 + number * 2)) }
        return .copies(places)
    // All paths lead to one disk. Nothing else in the table looks like a device number.
    case "multipath":
        let paths = words.compactMap { DeviceNumber($0) }
        guard !paths.isEmpty else { throw malformedTable(device) }
        return .copies(paths.map { DevicePlace(device: $0, offset: 0) })
    case "raid": return try raidLayout(words, device)
    default:
        throw unmapped(device, "the mapping of the device-mapper target \(type) is unknown")
    }
}

/// RAID_TYPE PARAMETERS CHUNK … DEVICES (METADATA DATA)… (Documentation/admin-guide/device-mapper/dm-raid.rst)
private func raidLayout(_ words: [String], _ device: DeviceNumber) throws(Failure) -> DevicePart.Layout {
    guard words.count > 2, let parameters = parseNumber(words[1]), parameters > 0, parameters < 64,
        let chunk = byteCount(ofSectors: words[2])
    else { throw malformedTable(device) }
    let first = 2 + Int(parameters)
    guard first < words.count, let count = parseNumber(words[first]), count > 0, count < 256 else {
        throw malformedTable(device)
    }
    var places: [DevicePlace] = []
    for number in 0..<Int(count) {
        let position = first + 2 + number * 2
        // A missing member appears as a hyphen.
        guard position < words.count else { throw malformedTable(device) }
        if let below = DeviceNumber(words[position]) { places.append(DevicePlace(device: below, offset: 0)) }
    }
    let isMoved = words[3..<first].contains { $0 == "data_offset" || $0 == "delta_disks" }
    if !isMoved, !places.isEmpty {
        let type = words[0].utf8
        if type.elementsEqual("raid1".utf8) { return .copies(places) }
        if type.starts(with: "raid4".utf8) || type.starts(with: "raid5".utf8), count > 1, chunk > 0 {
            return .rows(chunk: chunk, chunks: count - 1, copies: 1, places)
        }
        if type.starts(with: "raid6".utf8), count > 2, chunk > 0 {
            return .rows(chunk: chunk, chunks: count - 2, copies: 1, places)
        }
    }
    throw unmapped(device, "the mapping of the device-mapper target \(words[0]) is unknown")
}

private func malformedTable(_ device: DeviceNumber) -> Failure {
    unmapped(device, "its mapping is malformed")
}

/// Converts a number of sectors of 512 bytes to bytes; nil if the text is not a number or too large for any device.
func byteCount(ofSectors text: some StringProtocol) -> UInt64? {
    guard let number = parseNumber(text), number < 1 << 53 else { return nil }
    return number * 512
}
