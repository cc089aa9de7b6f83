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

/// The layers of block devices, down to disks and their partitions: through device mapper, md RAID and loop devices.
///
/// Each device is read once.
public final class BlockTopology {
    private var layers: [DeviceNumber: Layer] = [:]

    public init() {}

    /// A topology of given devices, for tests.
    init(_ layers: [DeviceNumber: Layer]) { self.layers = layers }

    /// The layer below a device.
    enum Layer {
        /// The device is a disk or a partition of one, of this size in bytes. Nothing is below it.
        case disk(UInt64)
        /// The device maps these parts to devices below.
        case parts([DevicePart])
        /// The device is in memory, or in a file on a file system that is mounted itself.
        case none
    }

    /// Maps ranges of a device to disks and partitions. Mirrors and stripes have several extents; ranges in memory or in a
    /// file have none. The extents may be larger than the ranges.
    /// - Parameter ranges: in bytes; the part behind the device's end is ignored.
    /// - Throws: if a layer's mapping is unknown.
    public func disks(below device: DeviceNumber, _ ranges: [DeviceRange]) throws(Failure) -> [BlockDeviceExtent] {
        var pending = ranges.map { BlockDeviceExtent(device: device, bytes: $0) }
        var found: [BlockDeviceExtent] = []
        // Layers have no cycles. The bound stops a loop if a table is wrong.
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
        throw unmapped(device, "it has more than 64 layers of block devices below it")
    }

    /// Whether any part of a device may be on a disk or partition; false if all of it is in memory or in a file.
    /// - Throws: if a layer's mapping is unknown.
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
            throw unmapped(name, "its size in sysfs is malformed")
        }
        let size = sectors * 512
        guard isVirtual(device) else { return .disk(size) }
        // A partition of a virtual device: another kernel does not find it by itself.
        if exists("\(folder)/partition") {
            guard let parent = DeviceNumber(trimmed(try readText("\(folder)/../dev"))),
                let start = parseNumber(trimmed(try readText("\(folder)/start"))), start < 1 << 54
            else { throw unmapped(name, "its start in sysfs is malformed") }
            return .parts([DevicePart(bytes: 0..<size, .copies([DevicePlace(device: parent, offset: start * 512)]))])
        }
        if exists("\(folder)/loop/backing_file") { return try loopLayer(folder, size) }
        if ["/dev/zram", "/dev/ram"].contains(where: { name.utf8.starts(with: $0.utf8) }) { return .none }
        if exists("\(folder)/dm") { return .parts(try parts(ofTable: try readTable(device), device)) }
        if exists("\(folder)/md") { return .parts(try RAIDArray(folder, device).parts(byteCount: size)) }
        throw unmapped(name, "it is of an unknown kind: neither a disk nor a loop, device-mapper or md device")
    }

    /// The layer below a loop device: none behind a file, as the file system with the file counts; the device behind a block
    /// device (drivers/block/loop.c, `loop/offset`).
    private static func loopLayer(_ folder: String, _ size: UInt64) throws(Failure) -> Layer {
        let path = trimmed(try readText("\(folder)/loop/backing_file"))
        guard let device = DeviceNumber(path: path) else { return .none }
        guard let offset = parseNumber(trimmed(try readText("\(folder)/loop/offset"))), offset < 1 << 62 else {
            throw unmapped(path, "the offset of the loop device on it is malformed")
        }
        return .parts([DevicePart(bytes: 0..<size, .copies([DevicePlace(device: device, offset: offset)]))])
    }

    private static func readTable(_ device: DeviceNumber) throws(Failure) -> String {
        let text = try Mapping(anonymous: 256 << 10)
        let count = try retrying("read the device-mapper table of", try deviceNode(device)) {
            torpor_dm_table(
                device.major, device.minor, text.bytes.baseAddress?.assumingMemoryBound(to: CChar.self),
                text.bytes.count)
        }
        return String(decoding: text.bytes.prefix(count), as: UTF8.self)
    }
}

/// The refusal to map a device to its disks.
func unmapped(_ device: DeviceNumber, _ reason: String) -> Failure { unmapped("the block device \(device)", reason) }

private func unmapped(_ device: String, _ reason: String) -> Failure {
    Failure("find the disks below", device, reason)
}

/// The path of a block device's node, from `DEVNAME` in its uevent file.
public func deviceNode(_ device: DeviceNumber) throws(Failure) -> String {
    let path = "/sys/dev/block/\(device)/uevent"
    for line in try readText(path).split(separator: "\n") where line.utf8.starts(with: "DEVNAME=".utf8) {
        return "/dev/" + String(decoding: line.utf8.dropFirst(8), as: UTF8.self)
    }
    throw Failure("read", path, "it has no DEVNAME")
}

/// Whether software of this kernel provides a block device (device mapper, RAID, loop, …), so that another kernel does not find
/// it by itself. Other block devices have a device on a bus as their parent in sysfs.
/// - Parameter sysfs: the mount point of sysfs.
public func isVirtual(_ device: DeviceNumber, sysfs: String = "/sys") -> Bool {
    guard let link = readLink("\(sysfs)/dev/block/\(device)") else { return false }
    let parts = link.split(separator: "/")
    return parts.indices.contains { i in
        i + 2 < parts.count && parts[i].utf8.elementsEqual("devices".utf8)
            && parts[i + 1].utf8.elementsEqual("virtual".utf8) && parts[i + 2].utf8.elementsEqual("block".utf8)
    }
}

/// Whether the kernel considers a block device read-only (`ro` in sysfs).
/// - Parameter sysfs: the mount point of sysfs.
public func isReadOnly(_ device: DeviceNumber, sysfs: String = "/sys") -> Bool {
    (try? readText("\(sysfs)/dev/block/\(device)/ro")).map { trimmed($0).utf8.elementsEqual("1".utf8) } ?? false
}

/// Whether a block device, or a partition's disk, has zones that must be written sequentially.
/// - Parameter sysfs: the mount point of sysfs.
public func isZoned(_ device: DeviceNumber, sysfs: String = "/sys") -> Bool {
    let folder = "\(sysfs)/dev/block/\(device)"
    let disk = exists("\(folder)/partition") ? "\(folder)/.." : folder
    guard let model = try? readText("\(disk)/queue/zoned") else { return false }
    return !trimmed(model).utf8.elementsEqual("none".utf8)
}
