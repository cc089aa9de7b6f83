// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux
import Linux

/// A range of bytes on a block device.
public struct BlockDeviceExtent: Hashable, Sendable {
    public var device: DeviceNumber
    public var bytes: DeviceRange

    public init(device: DeviceNumber, bytes: DeviceRange) {
        self.device = device
        self.bytes = bytes
    }
}

/// How block devices lie upon each other, down to disks and their partitions: through device mapper, RAID and loop devices.
///
/// Each device is looked at once.
public final class BlockTopology {
    private var layers: [DeviceNumber: Layer] = [:]

    public init() {}

    /// A topology of devices that are known already, for tests.
    init(_ layers: [DeviceNumber: Layer]) { self.layers = layers }

    /// What lies below a device.
    enum Layer {
        /// A disk, or a partition of one, with its size in bytes: nothing is below.
        case disk(UInt64)
        /// Parts of the device, each with its places below.
        case parts([DevicePart])
        /// Memory, or a file on a file system that is mounted itself.
        case none
    }

    /// Where ranges of a device lie on disks and partitions; more than one place if they are kept several times or in
    /// stripes, none if they are only in memory or in a file. The places may be larger than what was asked for.
    /// - Parameter ranges: in bytes; what lies behind the device's end is left out.
    /// - Throws: if a layer between cannot be followed.
    public func disks(below device: DeviceNumber, _ ranges: [DeviceRange]) throws(Failure) -> [BlockDeviceExtent] {
        var pending = ranges.map { BlockDeviceExtent(device: device, bytes: $0) }
        var found: [BlockDeviceExtent] = []
        // Devices lie upon each other without circles; the bound only keeps a wrong table from looping.
        for _ in 0..<64 {
            var next: [BlockDeviceExtent] = []
            for extent in pending {
                switch try layer(extent.device) {
                case .disk(let size):
                    let bytes = extent.bytes.clamped(to: 0..<size)
                    if !bytes.isEmpty { found.append(BlockDeviceExtent(device: extent.device, bytes: bytes)) }
                case .parts(let parts):
                    for part in parts { next += try part.places(of: extent.bytes, extent.device) }
                case .none: break
                }
            }
            if next.isEmpty { return found }
            pending = next
        }
        throw Failure("follow", "the block device \(device)", "too many devices lie under it")
    }

    /// Whether anything of a device may be on a disk or partition: nothing is if all of it is in memory or in a file.
    /// - Throws: if a layer between cannot be followed.
    public func isOnDisk(_ device: DeviceNumber) throws(Failure) -> Bool {
        var pending: [DeviceNumber] = [device]
        var seen: Set<DeviceNumber> = []
        while let next = pending.popLast() {
            guard seen.insert(next).inserted else { continue }
            switch try layer(next) {
            case .disk: return true
            case .parts(let parts):
                for part in parts {
                    switch part.layout {
                    case .copies(let places), .rows(_, _, _, let places): pending += places.map { $0.device }
                    case .hidden: if !part.bytes.isEmpty { return true }
                    }
                }
            case .none: break
            }
        }
        return false
    }

    private func layer(_ device: DeviceNumber) throws(Failure) -> Layer {
        if let known = layers[device] { return known }
        let layer = try BlockTopology.read(device)
        layers[device] = layer
        return layer
    }

    private static func read(_ device: DeviceNumber) throws(Failure) -> Layer {
        let folder = "/sys/dev/block/\(device)"
        let name = try deviceNode(device)
        guard let sectors = parseNumber(trimmed(try readText("\(folder)/size"))), sectors < 1 << 54 else {
            throw Failure("follow", name, "its size is malformed")
        }
        let size = sectors * 512
        guard isVirtual(device) else { return .disk(size) }
        // A partition of a device that is no disk is nothing that another kernel finds by itself.
        if exists("\(folder)/partition") {
            guard let parent = DeviceNumber(trimmed(try readText("\(folder)/../dev"))),
                let start = parseNumber(trimmed(try readText("\(folder)/start"))), start < 1 << 54
            else { throw Failure("follow", name, "its beginning is malformed") }
            return .parts([DevicePart(bytes: 0..<size, .copies([DevicePlace(device: parent, offset: start * 512)]))])
        }
        if exists("\(folder)/loop/backing_file") { return try loopLayer(folder, size) }
        if ["/dev/zram", "/dev/ram"].contains(where: { name.utf8.starts(with: $0.utf8) }) { return .none }
        if exists("\(folder)/dm") { return .parts(try parts(ofTable: try readTable(device), device)) }
        if exists("\(folder)/md") { return .parts(try RAIDArray(folder, device).parts(byteCount: size)) }
        throw Failure("follow", name, "it is neither a disk nor anything whose disks can be found")
    }

    /// A file's contents are on the file system that it is on; what lies behind a block device is followed
    /// (drivers/block/loop.c, `loop/offset`).
    private static func loopLayer(_ folder: String, _ size: UInt64) throws(Failure) -> Layer {
        let path = trimmed(try readText("\(folder)/loop/backing_file"))
        guard let device = DeviceNumber(path: path) else { return .none }
        guard let offset = parseNumber(trimmed(try readText("\(folder)/loop/offset"))), offset < 1 << 62 else {
            throw Failure("follow", path, "the loop device's offset is malformed")
        }
        return .parts([DevicePart(bytes: 0..<size, .copies([DevicePlace(device: device, offset: offset)]))])
    }

    private static func readTable(_ device: DeviceNumber) throws(Failure) -> String {
        let text = try Mapping(anonymous: 256 << 10)
        let count = try retrying("read the table of", try deviceNode(device)) {
            torpor_dm_table(
                device.major, device.minor, text.bytes.baseAddress?.assumingMemoryBound(to: CChar.self),
                text.bytes.count)
        }
        return String(decoding: text.bytes.prefix(count), as: UTF8.self)
    }
}

/// The path of a block device's node, from `DEVNAME` in its uevent file.
public func deviceNode(_ device: DeviceNumber) throws(Failure) -> String {
    let path = "/sys/dev/block/\(device)/uevent"
    for line in try readText(path).split(separator: "\n") where line.utf8.starts(with: "DEVNAME=".utf8) {
        return "/dev/" + String(decoding: line.utf8.dropFirst(8), as: UTF8.self)
    }
    throw Failure("read", path, "it has no DEVNAME")
}

/// Whether a block device is made by software of this kernel (device mapper, RAID, loop, …), so that another kernel does
/// not find it by itself: disks and their partitions hang on a device of a bus in sysfs.
/// - Parameter sysfs: where sysfs is mounted.
public func isVirtual(_ device: DeviceNumber, sysfs: String = "/sys") -> Bool {
    guard let link = readLink("\(sysfs)/dev/block/\(device)") else { return false }
    let parts = link.split(separator: "/")
    return parts.indices.contains { i in
        i + 2 < parts.count && parts[i].utf8.elementsEqual("devices".utf8)
            && parts[i + 1].utf8.elementsEqual("virtual".utf8) && parts[i + 2].utf8.elementsEqual("block".utf8)
    }
}

/// Whether nobody can write to a block device, as the kernel knows it.
/// - Parameter sysfs: where sysfs is mounted.
public func isReadOnly(_ device: DeviceNumber, sysfs: String = "/sys") -> Bool {
    (try? readText("\(sysfs)/dev/block/\(device)/ro")).map { trimmed($0).utf8.elementsEqual("1".utf8) } ?? false
}

/// Whether a block device, or the disk that a partition is on, has zones that are written from their beginnings on only.
/// - Parameter sysfs: where sysfs is mounted.
public func isZoned(_ device: DeviceNumber, sysfs: String = "/sys") -> Bool {
    let folder = "\(sysfs)/dev/block/\(device)"
    let disk = exists("\(folder)/partition") ? "\(folder)/.." : folder
    guard let model = try? readText("\(disk)/queue/zoned") else { return false }
    return !trimmed(model).utf8.elementsEqual("none".utf8)
}
