// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Linux
import Testing

@testable import BlockDevices

/// Links below /dev/disk as udev makes them, on systems without udev.
@Suite struct DeviceLinksTests {
    /// A sysfs with one disk of each kind, each with two partitions, as kernel 6.12 shows them.
    private final class Sysfs {
        let path = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)").path

        init() throws {
            try disk(
                "nvme0n1", "devices/pci0000:00/0000:00:1d.0/0000:01:00.0/nvme/nvme0/nvme0n1",
                ["wwid": "eui.0025385b11b2a3c4\n", "nsid": "1\n"],
                device: ["model": "Samsung SSD 980 PRO 1TB                 \n", "serial": "S5GXNX0R123456      \n"])
            try disk("vda", "devices/pci0000:00/0000:00:05.0/virtio2/block/vda", ["serial": "nap-1\n"], device: [:])
            try disk(
                "sda", "devices/pci0000:00/0000:00:1f.2/ata3/host2/target2:0:0/2:0:0:0/block/sda", [:],
                device: ["vendor": "ATA     \n", "model": "Samsung SSD 860 \n"])
            try write("3\n", "devices/pci0000:00/0000:00:1f.2/ata3/ata_port/ata3/port_no")
            let sda = "devices/pci0000:00/0000:00:1f.2/ata3/host2/target2:0:0/2:0:0:0/"
            let model = "Samsung SSD 860 EVO 500GB".padding(toLength: 40, withPad: " ", startingAt: 0)
            let serial = "S3Z2NB0K123456X".padding(toLength: 20, withPad: " ", startingAt: 0)
            try write(
                page(
                    0x83,
                    [
                        (2, 0, Array("S3Z2NB0K123456X     ".utf8)), (2, 1, Array("ATA     \(model)\(serial)".utf8)),
                        (1, 3, [0x50, 0x02, 0x53, 0x8e, 0x40, 0x12, 0x34, 0x56]),
                        // The port's own.
                        (1, 0x13, [0x50, 0, 0, 0, 0, 0, 0, 1]),
                    ]), sda + "vpd_pg83")
            try disk(
                "sdb", "devices/pci0000:00/0000:00:06.0/virtio3/host3/target3:0:0/3:0:0:0/block/sdb", [:],
                device: ["vendor": "QEMU    \n", "model": "QEMU HARDDISK   \n"])
            let sdb = "devices/pci0000:00/0000:00:06.0/virtio3/host3/target3:0:0/3:0:0:0/"
            try write(page(0x83, [(2, 0, Array("drive-scsi0".utf8))]), sdb + "vpd_pg83")
            try write([0, 0x80, 0, 4] + Array("0042".utf8), sdb + "vpd_pg80")
            try disk(
                "mmcblk0", "devices/platform/soc/fe340000.mmc/mmc_host/mmc0/mmc0:0001/block/mmcblk0", [:],
                device: ["name": "SD64G\n", "serial": "0x1234abcd\n"])
            // A page that ends in the middle of a designator, and one with nothing.
            for (name, bytes) in [("sdc", [0, 0x83, 0, 40, 1, 3, 0, 8, 0x50]), ("sdd", [])] as [(String, [UInt8])] {
                try disk(name, "devices/platform/x/\(name)h/1:0:0:0/block/\(name)", [:], device: [:])
                try write(bytes, "devices/platform/x/\(name)h/1:0:0:0/vpd_pg83")
            }
        }

        deinit { try? FileManager.default.removeItem(atPath: path) }

        private func page(_ number: UInt8, _ designators: [(codeSet: UInt8, type: UInt8, value: [UInt8])]) -> [UInt8] {
            var body: [UInt8] = []
            for (codeSet, type, value) in designators { body += [codeSet, type, 0, UInt8(value.count)] + value }
            return [0, number, 0, UInt8(body.count)] + body
        }

        private func disk(_ name: String, _ folder: String, _ files: [String: String], device: [String: String]) throws
        {
            let parts = name.last?.isNumber == true ? ["p1", "p2"] : ["1", "2"]
            for (number, part) in parts.enumerated() {
                try write("\(number + 1)\n", "\(folder)/\(name)\(part)/partition")
                try link("class/block/\(name)\(part)", to: "\(folder)/\(name)\(part)")
            }
            try link("class/block/\(name)", to: folder)
            for (file, text) in files { try write(text, "\(folder)/\(file)") }
            // `device` leads to the folder above `block`, or to the controller.
            let above = folder.split(separator: "/").dropLast(folder.contains("/block/") ? 2 : 1).joined(separator: "/")
            try link("\(folder)/device", to: above)
            for (file, text) in device { try write(text, "\(above)/\(file)") }
        }

        private func write(_ text: String, _ file: String) throws { try write(Array(text.utf8), file) }

        private func write(_ bytes: [UInt8], _ file: String) throws {
            let url = URL(filePath: path).appending(path: file)
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(bytes).write(to: url)
        }

        private func link(_ from: String, to target: String) throws {
            let url = URL(filePath: path).appending(path: from)
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try FileManager.default.createSymbolicLink(atPath: url.path, withDestinationPath: "\(path)/\(target)")
        }
    }

    @Test(
        arguments: [
            ("by-id/nvme-eui.0025385b11b2a3c4", ["nvme0n1"]), ("by-id/nvme-eui.0025385b11b2a3c4-part2", ["nvme0n1p2"]),
            ("by-id/nvme-Samsung_SSD_980_PRO_1TB_S5GXNX0R123456-part1", ["nvme0n1p1"]),
            ("by-id/nvme-Samsung_SSD_980_PRO_1TB_S5GXNX0R123456_1", ["nvme0n1"]),
            ("by-id/nvme-Samsung_SSD_980_PRO_1TB_S5GXNX0R123456_2", []), ("by-id/virtio-nap-1-part2", ["vda2"]),
            ("by-id/ata-Samsung_SSD_860_EVO_500GB_S3Z2NB0K123456X", ["sda"]),
            ("by-id/ata-Samsung_SSD_860_EVO_500GB_S3Z2NB0K123456X-part1", ["sda1"]),
            ("by-id/wwn-0x5002538e40123456-part2", ["sda2"]), ("by-id/wwn-0x5000000000000001", []),
            ("by-id/scsi-35002538e40123456", ["sda"]),
            ("by-id/scsi-1ATA_Samsung_SSD_860_EVO_500GB_S3Z2NB0K123456X", ["sda"]),
            ("by-id/scsi-0QEMU_QEMU_HARDDISK_drive-scsi0-part1", ["sdb1"]),
            ("by-id/scsi-SQEMU_QEMU_HARDDISK_0042", ["sdb"]), ("by-id/mmc-SD64G_0x1234abcd-part1", ["mmcblk0p1"]),
            ("by-id/wwn-0x5002538e40123456-part3", []), ("by-id/wwn-0x5002538e40123456-part", []),
            ("by-id/wwn-0x", []), ("by-path/pci-0000:00:05.0", ["vda"]),
            ("by-path/virtio-pci-0000:00:05.0-part1", ["vda1"]),
            ("by-path/pci-0000:01:00.0-nvme-1-part2", ["nvme0n1p2"]), ("by-path/pci-0000:00:1f.2-ata-3", ["sda"]),
            ("by-path/pci-0000:00:1f.2-ata-3.0-part1", ["sda1"]), ("by-path/pci-0000:00:1f.2-ata-2", []),
            ("by-id/usb-Vendor_Stick_0001-0:0", nil), ("by-id/dm-name-vg-lv", nil), ("by-path/platform-x", nil),
            ("by-path/pci-0000:00:04.0-scsi-0:0:0:0", nil), ("by-path/pci-0000:00:04.0-scsi-0:0:0:0-part1", nil),
            ("by-path/pci-0000:00:14.0-usb-0:2:1.0-scsi-0:0:0:0", nil),
            ("by-path/pci-0000:03:00.0-sas-phy0-lun-0-part2", nil), ("by-path/pci-10000:01:00.0-nvme-1", nil),
            ("by-path/pci-0000:00:1d.0-pci-10000:01:00.0-nvme-1", nil), ("by-path/pci-", nil),
            ("by-path/virtio-pci-0000:00:09.0", []), ("by-path/pci-0000:00:05.0-part9", []),
            ("by-diskseq/1", nil),
        ] as [(String, [String]?)])
    func findsTheDeviceOfALink(link: String, expected: [String]?) throws {
        let sysfs = try Sysfs()
        #expect(devices(linkedFrom: "/dev/disk/\(link)", sysfs: sysfs.path) == expected?.map { "/dev/\($0)" })
    }

    @Test func refusesLinksThatOnlyUdevKnows() throws {
        let catalog = DeviceCatalog(seconds: 1, willProbe: { _ in }, list: { [] }) { (_) throws(Failure) in
            DeviceAnswer()
        }
        let path = "/dev/disk/by-id/usb-Vendor_Stick_0001-0:0"
        let failure = #expect(throws: Failure.self) { try catalog.wait(for: .path(path), seconds: 30) }
        #expect(
            failure?.description
                == "find \(path): only udev can create this link; use UUID=, LABEL=, PARTUUID= or PARTLABEL=")
    }
}
