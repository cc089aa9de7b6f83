// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockStore
import Linux

/// A name of a disk or partition that means the same one in kernels A, B and C, whatever they call it.
///
/// As text: `PARTUUID=…`, `UUID=…`, `UUID=… UUID_SUB=…`, `ID=…` for what the disk says of itself, with
/// `PART=…` for a partition of it, or a path.
public struct DeviceIdentity: Hashable, Sendable, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }

    /// Whether it is a path, which means another device if disks are found in another order.
    public var isPath: Bool { description.utf8.first == UInt8(ascii: "/") }
}

extension DeviceCatalog.Entry {
    /// The names of this device, those that are preferred first.
    fileprivate var identities: [DeviceIdentity] {
        var identities: [DeviceIdentity] = []
        if let uuid = content.partitionUUID { identities.append(DeviceIdentity("PARTUUID=\(lowercased(uuid))")) }
        if let uuid = content.uuid {
            identities.append(
                DeviceIdentity("UUID=\(uuid)" + (content.subUUID.map { " UUID_SUB=\($0)" } ?? "")))
            // As version 1 of the image format names them.
            if content.subUUID != nil { identities.append(DeviceIdentity("UUID=\(uuid)")) }
        }
        if let hardware { identities.append(DeviceIdentity("ID=\(hardware)")) }
        return identities
    }
}

extension DeviceCatalog {
    /// Disks and partitions: what other kernels find as well.
    private var disks: [Entry] { entries.filter { !$0.isVirtual } }

    /// The identity of a device: the first of its names that no other device has. If all are shared, as those of a cloned
    /// disk's partition, it is the first one, and means all of them.
    /// - Returns: nil if nothing is known of the device.
    public func identity(of device: DeviceNumber) -> DeviceIdentity? {
        guard let entry = entry(device), entry.failure == nil else { return nil }
        let names = entry.identities
        for name in names where disks.filter({ $0.identities.contains(name) }).count == 1 { return name }
        return names.first ?? DeviceIdentity(entry.path)
    }

    /// The devices that an identity means.
    public func entries(_ identity: DeviceIdentity) -> [Entry] {
        if identity.isPath {
            return entries.filter { $0.path == identity.description }
        }
        let wanted = folded(identity)
        return disks.filter { $0.identities.contains { folded($0) == wanted } }
    }

    /// UUIDs are compared without regard to case: libblkid writes them in that of the file system's own tools.
    private func folded(_ identity: DeviceIdentity) -> [UInt8] {
        identity.description.utf8.starts(with: "ID=".utf8)
            ? Array(identity.description.utf8) : Array(lowercased(identity.description).utf8)
    }
}

private func lowercased(_ text: String) -> String {
    let letters = text.utf8.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }
    return String(decoding: letters, as: UTF8.self)
}

/// What a disk says of itself, by which it is told from all others: `wwid:…`, `serial:…`, and the number of the partition on
/// it: `wwid:… PART=2`; nil if it says nothing. A device may be asked for it, so it may not answer.
/// - Parameter sysfs: where sysfs is mounted.
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
