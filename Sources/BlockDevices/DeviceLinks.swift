// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

// Links below /dev/disk that name a device by its hardware, resolved without udev: kernels B and C have none.
//
// The links of each device are computed from /sys, as rules.d/60-persistent-storage.rules of systemd does, and compared with
// the wanted link. udev replaces characters that a link must not contain by `_`. In the comparison, a run of them is one.

/// Whether a path is one of udev's links to a device.
func isLink(_ path: String) -> Bool { path.utf8.starts(with: "/dev/disk/".utf8) }

/// The paths of the devices that a udev link belongs to.
/// - Parameter sysfs: the mount point of sysfs.
/// - Returns: nil for links that only udev can resolve.
func devices(linkedFrom path: String, sysfs: String = "/sys") -> [String]? {
    let byID = "/dev/disk/by-id/", byPath = "/dev/disk/by-path/"
    for folder in [byID, byPath] where path.utf8.starts(with: folder.utf8) {
        let kinds = folder == byID ? ["ata-", "wwn-0x", "nvme-", "virtio-", "scsi-", "mmc-"] : ["pci-", "virtio-pci-"]
        var link = Array(path.utf8.dropFirst(folder.utf8.count))
        guard kinds.contains(where: { link.starts(with: $0.utf8) }) else { return nil }
        let partition = removePartition(from: &link)
        guard folder == byID || isComputedPath(link) else { return nil }
        let wanted = normalized(link)
        var paths: [String] = []
        for name in (try? listDirectory("\(sysfs)/class/block")) ?? [] {
            let device = SysfsDisk(folder: "\(sysfs)/class/block/\(name)", name: name)
            guard device.partition == partition else { continue }
            let links = folder == byID ? device.identifiers : device.paths
            if links.contains(where: { normalized(Array($0.utf8)) == wanted }) { paths.append("/dev/\(name)") }
        }
        return paths
    }
    return nil
}

/// Whether `SysfsDisk.paths` computes links in by-path of this kind. SCSI, SAS and USB have other kinds.
/// - Parameter link: without the suffix for a partition.
private func isComputedPath(_ link: [UInt8]) -> Bool {
    let address =
        link.starts(with: "virtio-".utf8) ? link.dropFirst("virtio-pci-".utf8.count) : link.dropFirst("pci-".utf8.count)
    guard isPCIAddress(String(decoding: address.prefix(12), as: UTF8.self)) else { return false }
    let rest = address.dropFirst(12)
    return rest.isEmpty || rest.starts(with: "-nvme-".utf8) || rest.starts(with: "-ata-".utf8)
}

/// Removes a suffix such as `-part3` from a link.
/// - Returns: the number of the partition; nil if the link names a whole disk.
private func removePartition(from link: inout [UInt8]) -> UInt64? {
    let digits = link.reversed().prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }.count
    let suffix = Array("-part".utf8)
    let start = link.count - digits - suffix.count
    guard digits > 0, start > 0, link[start..<start + suffix.count].elementsEqual(suffix),
        let number = parseNumber(String(decoding: link.suffix(digits), as: UTF8.self))
    else { return nil }
    link.removeLast(digits + suffix.count)
    return number
}

/// A link's text with each run of `_` and of characters that udev replaces as one `_`, and no `_` at its end.
private func normalized(_ link: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    for byte in link {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "#"), UInt8(ascii: "+"), UInt8(ascii: "-"),
            UInt8(ascii: "."), UInt8(ascii: ":"), UInt8(ascii: "="), UInt8(ascii: "@"), 0x80...:
            result.append(byte)
        default:
            if result.last != UInt8(ascii: "_") { result.append(UInt8(ascii: "_")) }
        }
    }
    while result.last == UInt8(ascii: "_") { result.removeLast() }
    return result
}

/// A disk, or a partition with its disk, in /sys.
private struct SysfsDisk {
    private let disk: String
    private let name: [UInt8]
    let partition: UInt64?

    /// - Parameters:
    ///   - folder: the device's folder below /sys/class/block.
    ///   - name: the device's name there: `sda1`.
    init(folder: String, name: String) {
        partition = (try? readText("\(folder)/partition")).flatMap { parseNumber(trimmed($0)) }
        disk = partition == nil ? folder : "\(folder)/.."
        self.name = Array(name.utf8)
    }

    private func text(_ file: String) -> String? {
        guard let text = try? readText("\(disk)/\(file)") else { return nil }
        let bytes = trimmed(text).utf8.drop { $0 <= UInt8(ascii: " ") }
        return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
    }

    private var isNVMe: Bool { name.starts(with: "nvme".utf8) }
    private var isVirtio: Bool { name.starts(with: "vd".utf8) }

    /// The disk's names in by-id.
    var identifiers: [String] {
        var result: [String] = []
        if isNVMe {
            if let identifier = text("wwid") { result.append("nvme-\(identifier)") }
            if let model = text("device/model"), let serial = text("device/serial") {
                result.append("nvme-\(model)_\(serial)")
                if let namespace = text("nsid") { result.append("nvme-\(model)_\(serial)_\(namespace)") }
            }
        } else if isVirtio {
            if let serial = text("serial") { result.append("virtio-\(serial)") }
        } else if name.starts(with: "mmcblk".utf8) {
            if let model = text("device/name"), let serial = text("device/serial") {
                result.append("mmc-\(model)_\(serial)")
            }
        } else {
            result = scsiIdentifiers
        }
        return result
    }

    /// The names of a SCSI disk, from its device identification page (SPC-4, 7.8.6). ATA disks are SCSI disks to the kernel.
    private var scsiIdentifiers: [String] {
        var result: [String] = []
        let vendor = text("device/vendor") ?? "", model = text("device/model") ?? ""
        if let page = try? readFile("\(disk)/device/vpd_pg80"), page.count > 4 {
            result.append("scsi-S\(vendor)_\(model)_\(spaced(page[4...]))")
        }
        guard let page = try? readFile("\(disk)/device/vpd_pg83") else { return result }
        var offset = 4
        while offset + 4 <= page.count, offset + 4 + Int(page[offset + 3]) <= page.count {
            let value = page[offset + 4..<offset + 4 + Int(page[offset + 3])]
            // The association is the disk itself, not a port or a target.
            if page[offset + 1] >> 4 & 3 == 0 {
                let isText = page[offset] & 0xf > 1
                let digits = isText ? spaced(value) : value.map { hexadecimal(UInt64($0), digits: 2) }.joined()
                switch page[offset + 1] & 0xf {
                case 0: result.append("scsi-0\(vendor)_\(model)_\(digits)")
                case 1:
                    result.append("scsi-1\(digits)")
                    if value.starts(with: "ATA     ".utf8), value.count == 68 {
                        let start = value.startIndex
                        let model = spaced(value[start + 8..<start + 48])
                        result.append("ata-\(model)_\(spaced(value[start + 48..<start + 68]))")
                    }
                case 2: result.append("scsi-2\(digits)")
                case 3: result += ["scsi-3\(digits)", "wwn-0x\(digits)"]
                default: break
                }
            }
            offset += 4 + value.count
        }
        return result
    }

    /// Text of a fixed-width field, without the spaces around it.
    private func spaced(_ field: ArraySlice<UInt8>) -> String {
        let text = trimmed(String(decoding: field.prefix { $0 != 0 }, as: UTF8.self))
        return String(decoding: text.utf8.drop { $0 == UInt8(ascii: " ") }, as: UTF8.self)
    }

    /// The disk's names in by-path, from the path of its device below /sys/devices; none if it is not behind PCI.
    var paths: [String] {
        guard let path = realPath(disk) else { return [] }
        let folders = path.split(separator: "/").map { String($0) }
        guard let number = folders.lastIndex(where: { isPCIAddress($0) }) else { return [] }
        let address = "pci-\(folders[number])"
        if isVirtio { return [address, "virtio-\(address)"] }
        if isNVMe, let namespace = text("nsid") { return ["\(address)-nvme-\(namespace)"] }
        // 0000:00:1f.2/ata3/host2/target2:0:0/2:0:0:0/block/sda: the port number counts within the controller.
        guard folders.count > number + 1, folders[number + 1].utf8.starts(with: "ata".utf8) else { return [] }
        let port = "/" + folders[...(number + 1)].joined(separator: "/") + "/ata_port/\(folders[number + 1])/port_no"
        guard let text = try? readText(port) else { return [] }
        return ["\(address)-ata-\(trimmed(text))", "\(address)-ata-\(trimmed(text)).0"]
    }
}

/// Whether a name is the address of a PCI function: `0000:00:1f.2`.
private func isPCIAddress(_ name: String) -> Bool {
    let bytes = Array(name.utf8)
    return bytes.count == 12 && bytes[4] == UInt8(ascii: ":") && bytes[7] == UInt8(ascii: ":")
        && bytes[10] == UInt8(ascii: ".")
}
