import Basics
import CLinux

/// A range of bytes on a block device.
public struct BlockDeviceExtent: Equatable, Sendable {
    public var device: DeviceNumber
    public var bytes: Range<UInt64>

    public init(device: DeviceNumber, bytes: Range<UInt64>) {
        self.device = device
        self.bytes = bytes
    }
}

/// Where the beginning of a block device lies on disks and partitions, through device mapper and RAID; more than one
/// place where it is kept several times or in stripes, none where it is only in memory or in a file.
///
/// - Parameter byteCount: how much of it; where a part of a device is shorter, less.
/// - Throws: where a layer between cannot be followed.
public func underlyingExtents(of device: DeviceNumber, byteCount: UInt64) throws(Failure) -> [BlockDeviceExtent] {
    var pending = [BlockDeviceExtent(device: device, bytes: 0..<byteCount)]
    var found: [BlockDeviceExtent] = []
    // Devices lie upon each other without circles; the bound only keeps a wrong table from looping.
    for _ in 0..<64 {
        guard let extent = pending.popLast() else { return found }
        switch try layer(below: extent) {
        case .disk(let bytes): found.append(BlockDeviceExtent(device: extent.device, bytes: bytes))
        case .devices(let extents): pending += extents
        case .none: break
        }
    }
    throw Failure("follow", "the block device \(device)", "too many devices lie under it")
}

private enum Layer {
    /// A disk or a partition: there is nothing below.
    case disk(Range<UInt64>)
    case devices([BlockDeviceExtent])
    /// Memory, or a file on a file system that is mounted itself.
    case none
}

private func layer(below extent: BlockDeviceExtent) throws(Failure) -> Layer {
    let folder = "/sys/dev/block/\(extent.device)"
    let name = try deviceNode(extent.device)
    if exists("\(folder)/loop") || ["/dev/zram", "/dev/ram"].contains(where: { name.utf8.starts(with: $0.utf8) }) {
        return .none
    }
    if exists("\(folder)/dm") {
        return .devices(try extents(below: extent, deviceMapperTable: readTable(extent.device)))
    }
    if exists("\(folder)/md") { return .devices(try raidMembers(folder, extent)) }
    guard let sectors = parseNumber(trimmed(try readText("\(folder)/size"))), sectors < 1 << 54 else {
        throw Failure("follow", name, "its size is malformed")
    }
    let end = sectors * 512
    return .disk(min(extent.bytes.lowerBound, end)..<min(extent.bytes.upperBound, end))
}

/// The path of a block device's node, from `DEVNAME` in its uevent file.
public func deviceNode(_ device: DeviceNumber) throws(Failure) -> String {
    let path = "/sys/dev/block/\(device)/uevent"
    for line in try readText(path).split(separator: "\n") where line.utf8.starts(with: "DEVNAME=".utf8) {
        return "/dev/" + String(decoding: line.utf8.dropFirst(8), as: UTF8.self)
    }
    throw Failure("read", path, "it has no DEVNAME")
}

private func readTable(_ device: DeviceNumber) throws(Failure) -> String {
    let text = try Mapping(anonymous: 256 << 10)
    let count = try retrying("read the table of", try deviceNode(device)) {
        torpor_dm_table(
            device.major, device.minor, text.bytes.baseAddress?.assumingMemoryBound(to: CChar.self), text.bytes.count)
    }
    return String(decoding: text.bytes.prefix(count), as: UTF8.self)
}

/// Where an extent lies below a device-mapper device with this table, as `dmsetup table` prints it
/// (Documentation/admin-guide/device-mapper).
func extents(
    below extent: BlockDeviceExtent, deviceMapperTable table: String
) throws(Failure) -> [BlockDeviceExtent] {
    var result: [BlockDeviceExtent] = []
    for line in table.split(separator: "\n") {
        let words = line.split(separator: " ")
        guard words.count > 2, let start = sectors(words[0]), let count = sectors(words[1]) else {
            throw Failure("follow", "the block device \(extent.device)", "its table is malformed")
        }
        let target = start..<start + count
        let part = extent.bytes.clamped(to: target)
        if part.isEmpty { continue }
        let inside = part.lowerBound - target.lowerBound..<part.upperBound - target.lowerBound
        result += try extents(below: extent, words[2], words.dropFirst(3).map { String($0) }, inside)
    }
    return result
}

/// - Parameter inside: bytes from the target's beginning.
private func extents(
    below extent: BlockDeviceExtent, _ type: Substring, _ words: [String], _ inside: Range<UInt64>
) throws(Failure) -> [BlockDeviceExtent] {
    switch type {
    case "linear": return [try shifted(extent, words, device: 0, by: inside)]
    // CIPHER KEY IV_OFFSET DEVICE OFFSET
    case "crypt": return [try shifted(extent, words, device: 3, by: inside)]
    // VERSION DEVICE HASH_DEVICE …: the data begin where the device does
    case "verity": return [try shifted(extent, [words.count > 1 ? words[1] : "", "0"], device: 0, by: inside)]
    // STRIPES CHUNK (DEVICE OFFSET)…: the beginning of each stripe holds what the whole's beginning does
    case "striped":
        var result: [BlockDeviceExtent] = []
        for number in stride(from: 2, to: words.count, by: 2) {
            result.append(try shifted(extent, words, device: number, by: inside))
        }
        return result
    default:
        throw Failure(
            "follow", "the block device \(extent.device)",
            "its device-mapper target \(type) hides where its contents are")
    }
}

private func shifted(
    _ extent: BlockDeviceExtent, _ words: [String], device number: Int, by inside: Range<UInt64>
) throws(Failure) -> BlockDeviceExtent {
    guard number + 1 < words.count, let device = DeviceNumber(words[number]), let offset = sectors(words[number + 1])
    else { throw Failure("follow", "the block device \(extent.device)", "its table is malformed") }
    return BlockDeviceExtent(device: device, bytes: offset + inside.lowerBound..<offset + inside.upperBound)
}

/// Sectors of 512 bytes, as bytes; nil for what is no number or no device has.
private func sectors(_ text: some StringProtocol) -> UInt64? {
    guard let number = parseNumber(text), number < 1 << 53 else { return nil }
    return number * 512
}

/// The same bytes of every member: whatever the level, the array's beginning is at the beginning of some of them
/// (Documentation/admin-guide/md.rst, `dev-XXX/offset`).
private func raidMembers(_ folder: String, _ extent: BlockDeviceExtent) throws(Failure) -> [BlockDeviceExtent] {
    var result: [BlockDeviceExtent] = []
    for name in try listDirectory("\(folder)/md") where name.utf8.starts(with: "dev-".utf8) {
        let member = "\(folder)/md/\(name)"
        guard let device = DeviceNumber(trimmed(try readText("\(member)/block/dev"))),
            let offset = sectors(trimmed(try readText("\(member)/offset")))
        else { throw Failure("follow", "the block device \(extent.device)", "its member \(name) is malformed") }
        result.append(
            BlockDeviceExtent(
                device: device, bytes: offset + extent.bytes.lowerBound..<offset + extent.bytes.upperBound))
    }
    return result
}
