// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// Links below /dev/disk that name a device by its hardware, resolved without udev: kernels B and C have none.
///
/// What udev writes is computed for each device from /sys, as rules.d/60-persistent-storage.rules of systemd has it, and
/// compared with the link. Characters that a link cannot have are `_` in it; runs of them count as one.

/// Whether a path is one of udev's links to a device.
func isLink(_ path: String) -> Bool { path.utf8.starts(with: "/dev/disk/".utf8) }

/// The paths of the devices that a link would lead to; nil if only udev could tell.
/// - Parameter sysfs: where sysfs is mounted.
func devices(linkedFrom path: String, sysfs: String = "/sys") -> [String]? {
    let byID = "/dev/disk/by-id/", byPath = "/dev/disk/by-path/"
    for folder in [byID, byPath] where path.utf8.starts(with: folder.utf8) {
        let kinds = folder == byID ? ["ata-", "wwn-0x", "nvme-", "virtio-", "scsi-", "mmc-"] : ["pci-", "virtio-pci-"]
        var link = Array(path.utf8.dropFirst(folder.utf8.count))
        guard kinds.contains(where: { link.starts(with: $0.utf8) }) else { return nil }
        let partition = removePartition(from: &link)
        guard folder == byID || isComputedPlace(link) else { return nil }
        let wanted = normalized(link)
        var paths: [String] = []
        for name in (try? listDirectory("\(sysfs)/class/block")) ?? [] {
            let device = SysfsDisk(folder: "\(sysfs)/class/block/\(name)", name: name)
            guard device.partition == partition else { continue }
            let links = folder == byID ? device.identifiers : device.places
            if links.contains(where: { normalized(Array($0.utf8)) == wanted }) { paths.append("/dev/\(name)") }
        }
        return paths
    }
    return nil
}

/// Whether a link in by-path, without its partition, is of a kind that `SysfsDisk.places` computes; SCSI, SAS and USB have
/// others.
private func isComputedPlace(_ link: [UInt8]) -> Bool {
    let address =
        link.starts(with: "virtio-".utf8) ? link.dropFirst("virtio-pci-".utf8.count) : link.dropFirst("pci-".utf8.count)
    guard isPCIAddress(String(decoding: address.prefix(12), as: UTF8.self)) else { return false }
    let rest = address.dropFirst(12)
    return rest.isEmpty || rest.starts(with: "-nvme-".utf8) || rest.starts(with: "-ata-".utf8)
}

/// Takes `-part3` off a link.
/// - Returns: the partition's number; nil if the link names a whole disk.
private func removePartition(from link: inout [UInt8]) -> UInt64? {
    let digits = link.reversed().prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }.count
    let word = Array("-part".utf8)
    let start = link.count - digits - word.count
    guard digits > 0, start > 0, link[start..<start + word.count].elementsEqual(word),
        let number = parseNumber(String(decoding: link.suffix(digits), as: UTF8.self))
    else { return nil }
    link.removeLast(digits + word.count)
    return number
}

/// A link's text with everything that udev replaces as one `_`, and none at its ends.
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

/// What /sys tells of a disk, or of the disk that a partition is on.
private struct SysfsDisk {
    private let disk: String
    private let name: [UInt8]
    let partition: UInt64?

    /// - Parameters:
    ///   - folder: the device's folder below /sys/class/block.
    ///   - name: its name there: `sda1`.
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

    /// Its names in by-id.
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

    /// Those of a SCSI disk, as which the kernel shows ATA disks as well: its device identification page (SPC-4, 7.8.6).
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
            // Of the disk itself, not of a port or a target.
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

    /// Text of a fixed width without the spaces around it.
    private func spaced(_ field: ArraySlice<UInt8>) -> String {
        let text = trimmed(String(decoding: field.prefix { $0 != 0 }, as: UTF8.self))
        return String(decoding: text.utf8.drop { $0 == UInt8(ascii: " ") }, as: UTF8.self)
    }

    /// Its names in by-path, if it is behind PCI: from the path of its device below /sys/devices.
    var places: [String] {
        guard let path = realPath(disk) else { return [] }
        let words = path.split(separator: "/").map { String($0) }
        guard let number = words.lastIndex(where: { isPCIAddress($0) }) else { return [] }
        let place = "pci-\(words[number])"
        if isVirtio { return [place, "virtio-\(place)"] }
        if isNVMe, let namespace = text("nsid") { return ["\(place)-nvme-\(namespace)"] }
        // 0000:00:1f.2/ata3/host2/target2:0:0/2:0:0:0/block/sda: the port counts from the first one of its controller.
        guard words.count > number + 1, words[number + 1].utf8.starts(with: "ata".utf8) else { return [] }
        let port = "/" + words[...(number + 1)].joined(separator: "/") + "/ata_port/\(words[number + 1])/port_no"
        guard let text = try? readText(port) else { return [] }
        return ["\(place)-ata-\(trimmed(text))", "\(place)-ata-\(trimmed(text)).0"]
    }
}

/// Whether a name is that of a PCI function: `0000:00:1f.2`.
private func isPCIAddress(_ name: String) -> Bool {
    let bytes = Array(name.utf8)
    return bytes.count == 12 && bytes[4] == UInt8(ascii: ":") && bytes[7] == UInt8(ascii: ":")
        && bytes[10] == UInt8(ascii: ".")
}
