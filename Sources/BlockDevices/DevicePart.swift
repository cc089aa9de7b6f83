// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// A beginning on a device.
struct DevicePlace: Equatable, Sendable {
    var device: DeviceNumber
    /// In bytes.
    var offset: UInt64
}

/// A part of a block device, and where its bytes lie on the devices below it.
struct DevicePart: Equatable, Sendable {
    enum Layout: Equatable, Sendable {
        /// All bytes are at each of the places, in the same order.
        case copies([DevicePlace])
        /// The bytes are dealt out to the places in pieces of `chunk` bytes. A row, a chunk on each place, holds
        /// `chunks / copies` chunks: fewer than places if there is parity, or if each is kept more than once.
        case rows(chunk: UInt64, chunks: UInt64, copies: UInt64, [DevicePlace])
        /// It cannot be told, for this reason.
        case hidden(String)
    }

    /// In bytes from the device's beginning.
    var bytes: DeviceRange
    var layout: Layout

    init(bytes: DeviceRange, _ layout: Layout) {
        self.bytes = bytes
        self.layout = layout
    }

    /// The places of a range of the device, as far as it lies in this part.
    func places(of range: DeviceRange, _ device: DeviceNumber) throws(Failure) -> [BlockDeviceExtent] {
        let inside = range.clamped(to: bytes)
        if inside.isEmpty { return [] }
        let start = inside.lowerBound - bytes.lowerBound, end = inside.upperBound - bytes.lowerBound
        var result: [BlockDeviceExtent] = []
        func add(_ place: DevicePlace, _ start: UInt64, _ end: UInt64) throws(Failure) {
            let (first, overflow) = place.offset.addingReportingOverflow(start)
            let (behind, carry) = place.offset.addingReportingOverflow(end)
            guard !overflow, !carry else {
                throw Failure("follow", "the block device \(device)", "its table is malformed")
            }
            result.append(BlockDeviceExtent(device: place.device, bytes: first..<behind))
        }
        switch layout {
        case .copies(let places):
            for place in places { try add(place, start, end) }
        case .rows(let chunk, let chunks, let copies, let places):
            guard chunk > 0, chunks > 0, copies > 0, end / chunk < 1 << 40, copies < 1 << 16 else {
                throw Failure("follow", "the block device \(device)", "its table is malformed")
            }
            let firstRow = start / chunk * copies / chunks
            let lastRow = ((end - 1) / chunk * copies + copies - 1) / chunks
            for place in places { try add(place, firstRow * chunk, (lastRow + 1) * chunk) }
        case .hidden(let reason): throw Failure("follow", "the block device \(device)", reason)
        }
        return result
    }
}

/// The parts of a device-mapper device with this table, as `dmsetup table` prints it
/// (Documentation/admin-guide/device-mapper).
/// - Throws: if the table is malformed, or a target does not tell where its contents are.
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

/// - Returns: nil for a target that holds nothing.
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
    // VERSION DEVICE HASH_DEVICE …: the data begin where the device does
    case "verity": return .copies([try place(1, "0")])
    // DEVICE …, whole
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
    // Paths to one disk: nothing else in the table is written like a device's number.
    case "multipath":
        let paths = words.compactMap { DeviceNumber($0) }
        guard !paths.isEmpty else { throw malformedTable(device) }
        return .copies(paths.map { DevicePlace(device: $0, offset: 0) })
    case "raid": return try raidLayout(words, device)
    default:
        throw Failure(
            "follow", "the block device \(device)",
            "its device-mapper target \(type) hides where its contents are")
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
        // A member that is missing is written as a hyphen.
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
    throw Failure(
        "follow", "the block device \(device)", "its device-mapper target \(words[0]) hides where its contents are")
}

private func malformedTable(_ device: DeviceNumber) -> Failure {
    Failure("follow", "the block device \(device)", "its table is malformed")
}

/// Sectors of 512 bytes, as bytes; nil for what is no number or no device has.
func byteCount(ofSectors text: some StringProtocol) -> UInt64? {
    guard let number = parseNumber(text), number < 1 << 53 else { return nil }
    return number * 512
}
