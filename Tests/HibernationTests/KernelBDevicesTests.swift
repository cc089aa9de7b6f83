// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Linux
import Testing

@testable import Hibernation

/// A folder that is built as sysfs is.
@Suite struct KernelBDevicesTests {
    private let root = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)")

    private func folder(_ path: String) throws {
        try FileManager.default.createDirectory(at: root.appending(path: path), withIntermediateDirectories: true)
    }

    private func link(_ path: String, _ target: String) throws {
        try folder(String(path.dropLast(path.split(separator: "/").last?.count ?? 0)))
        try FileManager.default.createSymbolicLink(
            atPath: root.appending(path: path).path, withDestinationPath: target)
    }

    private func write(_ text: String, _ path: String) throws {
        try folder(String(path.dropLast(path.split(separator: "/").last?.count ?? 0)))
        try text.write(to: root.appending(path: path), atomically: false, encoding: .utf8)
    }

    private func build() throws {
        // A SATA disk with a partition: `sd` is built in, `ahci` a module.
        let ahci = "devices/pci0000:00/0000:00:1f.2"
        let scsi = "\(ahci)/ata1/host0/target0:0:0/0:0:0:0"
        try folder("\(scsi)/block/sda/sda1")
        try link("dev/block/8:0", "../../\(scsi)/block/sda")
        try link("dev/block/8:1", "../../\(scsi)/block/sda/sda1")
        try link("\(scsi)/driver", "../../../../../../../bus/scsi/drivers/sd")
        try folder("bus/scsi/drivers/sd")
        try link("bus/scsi/drivers/sd/module", "../../../../module/sd_mod")
        try folder("module/sd_mod/parameters")
        try link("\(ahci)/driver", "../../../bus/pci/drivers/ahci")
        try folder("bus/pci/drivers/ahci")
        try link("bus/pci/drivers/ahci/module", "../../../../module/ahci")
        try write("live\n", "module/ahci/initstate")
        // A virtio disk, all of it built in.
        let virtio = "devices/pci0000:00/0000:00:04.0/virtio1"
        try folder("\(virtio)/block/vda/vda2")
        try link("dev/block/254:2", "../../\(virtio)/block/vda/vda2")
        try link("\(virtio)/driver", "../../../../bus/virtio/drivers/virtio_blk")
        try folder("bus/virtio/drivers/virtio_blk")
        // An NVMe disk with several paths hangs on its subsystem.
        let subsystem = "devices/virtual/nvme-subsystem/nvme-subsys0"
        try folder("\(subsystem)/nvme0n1/nvme0n1p1")
        try link("dev/block/259:1", "../../\(subsystem)/nvme0n1/nvme0n1p1")
        try link("\(subsystem)/nvme0", "../../../pci0000:00/0000:00:05.0/nvme/nvme0")
        try folder("devices/pci0000:00/0000:00:05.0/nvme/nvme0")
        try link("devices/pci0000:00/0000:00:05.0/driver", "../../../bus/pci/drivers/nvme")
        try folder("bus/pci/drivers/nvme")
        try link("bus/pci/drivers/nvme/module", "../../../../module/nvme")
        try write("live\n", "module/nvme/initstate")
        // What software makes.
        for (number, name, detail) in [
            ("253:0", "dm-0", "dm/uuid"), ("253:1", "dm-1", "dm/uuid"), ("9:0", "md0", "md/level"),
            ("7:0", "loop0", "loop/backing_file"), ("43:0", "nbd0", "size"),
        ] {
            try write(number == "253:0" ? "LVM-abc" : "CRYPT-LUKS2-x", "devices/virtual/block/\(name)/\(detail)")
            try link("dev/block/\(number)", "../../devices/virtual/block/\(name)")
        }
        try write("vg-swap\n", "devices/virtual/block/dm-0/dm/name")
        try write("secret\n", "devices/virtual/block/dm-1/dm/name")
        try folder("devices/virtual/block/loop0/loop0p1")
        try link("dev/block/259:9", "../../devices/virtual/block/loop0/loop0p1")
    }

    private func refusal(
        _ device: String, _ builtIn: KernelBDevices.BuiltIn = .asRunning, modules: ModuleList = .none
    ) throws -> String? {
        do throws(Failure) {
            try KernelBDevices(sysfs: root.path, modules: modules, builtIn: builtIn).requirePresent(
                DeviceNumber(device) ?? DeviceNumber(major: 0, minor: 0), "/dev/x", use: "the hibernation partition")
            return nil
        } catch { return error.description }
    }

    @Test func refusesDevicesThatKernelBDoesNotFind() throws {
        defer { try? FileManager.default.removeItem(at: root) }
        try build()
        func layer(_ text: String) -> String {
            "use /dev/x, the hibernation partition: it lies on \(text), and kernel B finds only disks and their partitions; "
                + "use a partition of a disk"
        }
        #expect(try refusal("253:0") == layer("the LVM volume vg-swap"))
        #expect(try refusal("253:1") == layer("the device-mapper device secret"))
        #expect(try refusal("9:0") == layer("a RAID (md)"))
        #expect(try refusal("7:0") == layer("a loop device"))
        #expect(try refusal("259:9") == layer("a loop device"))
        #expect(try refusal("43:0") == layer("a virtual block device"))
        // Whatever kernel B is.
        #expect(try refusal("7:0", .unknown) == layer("a loop device"))
    }

    @Test func refusesDisksOfANetwork() throws {
        defer { try? FileManager.default.removeItem(at: root) }
        try build()
        let pci = "devices/pci0000:00/0000:00:05.0"
        let paths = [
            "8:32": "devices/platform/host6/session1/target6:0:0/6:0:0:1/block/sdc",
            "8:33": "devices/platform/host6/session1/target6:0:0/6:0:0:1/block/sdc/sdc1",
            "8:48": "\(pci)/net/eth0/ctlr_0/host7/rport-7:0-1/target7:0:1/7:0:1:0/block/sdd",
            "252:0": "devices/rbd/0/block/rbd0", "259:4": "devices/virtual/nvme-fabrics/ctl/nvme2/nvme2n1",
            "8:64": "devices/platform/vhci_hcd.0/usb5/5-1/5-1:1.0/host9/target9:0:0/9:0:0:0/block/sde",
            "259:5": "devices/virtual/nvme-subsystem/nvme-subsys3/nvme3n1/nvme3n1p1",
            // Of this machine: a disk of an adapter for Fibre Channel, and what only looks like it.
            "8:80": "\(pci)/host3/rport-3:0-1/target3:0:1/3:0:1:0/block/sdf",
            "8:96": "\(pci)/sessions/session/ctlr_x/block/sdg",
        ]
        for (number, path) in paths {
            try folder(path)
            try link("dev/block/\(number)", "../../\(path)")
        }
        try link("devices/virtual/nvme-subsystem/nvme-subsys3/nvme3", "../../nvme-fabrics/ctl/nvme3")
        try write("tcp\n", "devices/virtual/nvme-fabrics/ctl/nvme3/transport")
        try write("pcie\n", "\(pci)/nvme/nvme0/transport")
        for (number, name) in [
            ("8:32", "iSCSI"), ("8:33", "iSCSI"), ("8:48", "FCoE"), ("252:0", "RBD"), ("259:4", "NVMe over Fabrics"),
            ("8:64", "USB/IP"), ("259:5", "NVMe over Fabrics"),
        ] {
            #expect(
                try refusal(number, .unknown)
                    == "use /dev/x, the hibernation partition: it is reached over a network (\(name)), and kernel B "
                    + "has no network; use a local disk")
        }
        for number in ["8:80", "8:96", "259:1", "8:1"] { #expect(try refusal(number, .unknown) == nil) }
    }

    @Test func refusesADriverThatIsAModule() throws {
        defer { try? FileManager.default.removeItem(at: root) }
        try build()
        for device in ["8:0", "8:1"] {
            let text = try #require(try refusal(device))
            #expect(
                text.contains(
                    "its driver ahci is the module ahci, which rootfs.gz does not have; build rootfs.gz with: "
                        + "mkinitramfs.sh --kernel-version "))
            #expect(try refusal(device, .unknown) == nil)
        }
        #expect(try refusal("259:1")?.contains("its driver nvme is the module nvme") == true)
        #expect(try refusal("254:2") == nil)
    }

    @Test func takesADriverThatRootfsHas() throws {
        defer { try? FileManager.default.removeItem(at: root) }
        try build()
        let nvme = try ModuleList("kernel 6.12\n/lib/modules/6.12/nvme.ko\n")
        #expect(try refusal("259:1", modules: nvme) == nil)
        #expect(try refusal("8:0", modules: nvme)?.contains("its driver ahci") == true)
        let both = try ModuleList("kernel 6.12\n/lib/modules/6.12/nvme.ko\n/lib/modules/6.12/ahci.ko a=1\n")
        #expect(try refusal("8:0", modules: both) == nil)
    }

    /// Kernel B is another kernel, whose built-in modules are known.
    @Test func refusesADriverThatAnotherKernelLacks() throws {
        defer { try? FileManager.default.removeItem(at: root) }
        try build()
        func other(_ names: String) -> KernelBDevices.BuiltIn {
            .listed(BuiltInModules(names), kernelPath: "/boot/small")
        }
        #expect(try refusal("8:1", other("ahci\nsd_mod\n")) == nil)
        // `sd` is built into the running kernel, and that does not count.
        #expect(
            try refusal("8:1", other("ahci\n"))
                == "use /dev/x, the hibernation partition: its driver sd is the module sd_mod, which neither /boot/small nor "
                + "rootfs.gz has; name with --kernel a kernel that has the driver")
        #expect(try refusal("8:1", other("sd_mod\n"))?.contains("its driver ahci is the module ahci") == true)
        let ahci = try ModuleList("kernel 6.12\n/lib/modules/6.12/ahci.ko\n")
        #expect(try refusal("8:1", other("sd_mod\n"), modules: ahci) == nil)
        #expect(try refusal("259:1", other("sd_mod\n"))?.contains("its driver nvme") == true)
    }

    /// A PCI bridge works without its driver.
    @Test func needsNoDriverForABridge() throws {
        defer { try? FileManager.default.removeItem(at: root) }
        let port = "devices/pci0000:00/0000:00:1c.0"
        try folder("\(port)/0000:01:00.0/nvme/nvme0/nvme0n1")
        try link("dev/block/259:0", "../../\(port)/0000:01:00.0/nvme/nvme0/nvme0n1")
        try link("\(port)/driver", "../../../bus/pci/drivers/pcieport")
        try folder("bus/pci/drivers/pcieport")
        try link("bus/pci/drivers/pcieport/module", "../../../../module/pcieportdrv")
        let other = KernelBDevices.BuiltIn.listed(BuiltInModules("nvme"), kernelPath: "/boot/small")
        try write("0x060400\n", "\(port)/class")
        #expect(try refusal("259:0", other) == nil)
        try write("0x010802\n", "\(port)/class")
        #expect(try refusal("259:0", other)?.contains("pcieportdrv") == true)
    }
}
