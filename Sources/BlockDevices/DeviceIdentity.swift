// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockStore
import Linux

/// A name of a disk or partition that is the same in kernels A, B and C, even if the path differs.
///
/// As text: `PARTUUID=…`, `UUID=…`, `UUID=… UUID_SUB=…`, `ID=…` for the identity of the disk's hardware, `ID=… PART=…` for a
/// partition on it, or a path.
public struct DeviceIdentity: Hashable, Sendable, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }

    /// Whether it is a path. If a kernel finds the disks in another order, the path belongs to another device.
    public var isPath: Bool { description.utf8.first == UInt8(ascii: "/") }
}

extension DeviceCatalog.Entry {
    /// The names of this device, in order of preference.
    fileprivate var identities: [DeviceIdentity] {
        var identities: [DeviceIdentity] = []
        if let uuid = content.partitionUUID { identities.append(DeviceIdentity("PARTUUID=\(lowercased(uuid))")) }
        if let uuid = content.uuid {
            identities.append(
                DeviceIdentity("UUID=\(uuid)" + (content.subUUID.map { " UUID_SUB=\($0)" } ?? "")))
            // Version 1 of the image format uses this name.
            if content.subUUID != nil { identities.append(DeviceIdentity("UUID=\(uuid)")) }
        }
        if let hardware { identities.append(DeviceIdentity("ID=\(hardware)")) }
        return identities
    }
}

extension DeviceCatalog {
    /// The disks and partitions, which other kernels find as well.
    private var disks: [Entry] { entries.filter { !$0.isVirtual } }

    /// The identity of a device: the first of its names that no other device has. If other devices share all of its names, as
    /// with a cloned disk, it is the first name, and denotes all of these devices.
    /// - Returns: nil if the device is missing or could not be probed.
    public func identity(of device: DeviceNumber) -> DeviceIdentity? {
        guard let entry = entry(device), entry.failure == nil else { return nil }
        let names = entry.identities
        for name in names where disks.filter({ $0.identities.contains(name) }).count == 1 { return name }
        return names.first ?? DeviceIdentity(entry.path)
    }

    /// The devices with an identity.
    public func entries(_ identity: DeviceIdentity) -> [Entry] {
        if identity.isPath {
            return entries.filter { $0.path == identity.description }
        }
        let wanted = folded(identity)
        return disks.filter { $0.identities.contains { folded($0) == wanted } }
    }

    /// The text to compare. The case of UUIDs does not matter: libblkid prints them in the case that the file system's tools
    /// use.
    private func folded(_ identity: DeviceIdentity) -> [UInt8] {
        identity.description.utf8.starts(with: "ID=".utf8)
            ? Array(identity.description.utf8) : Array(lowercased(identity.description).utf8)
    }
}

private func lowercased(_ text: String) -> String {
    let letters = text.utf8.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }
    return String(decoding: letters, as: UTF8.self)
}

/// A unique property of a disk's hardware: `wwid:…`, `serial:…`; for a partition with its number: `wwid:… PART=2`. The kernel
/// may ask the device for it, so this may block.
/// - Parameter sysfs: the mount point of sysfs.
/// - Returns: nil if sysfs shows no such property.
func hardwareIdentity(_ device: DeviceNumber, sysfs: String = "/sys") -> String? {
    let folder = "\(sysfs)/dev/block/\(device)"
    guard let partition = try? readText("\(folder)/partition") else { return diskIdentity(folder) }
    return diskIdentity("\(folder)/..").map { "\($0) PART=\(trimmed(partition))" }
}

private func diskIdentity(_ folder: String) -> String? {
    for (file, name) in [
        ("wwid", "wwid"), ("device/wwid", "wwid"), ("serial", "serial"), ("device/serial", "serial"),
        ("device/cid", "cid"),
    ] {
        guard let text = try? readText("\(folder)/\(file)") else { continue }
        let value = trimmed(text)
        if !value.isEmpty { return "\(name):\(value)" }
    }
    return nil
}
