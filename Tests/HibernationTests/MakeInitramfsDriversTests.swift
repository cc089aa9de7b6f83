// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Testing

@testable import Hibernation

/// mkinitramfs-drivers.sh, on folders that are built as the sysfs, /proc and /dev of machines.
@Suite struct MakeInitramfsDriversTests {
    private let script: MakeInitramfs
    private static let pci = "devices/pci0000:00"

    init() throws {
        script = try MakeInitramfs()
        // Every machine has a graphics card and a network card with modules, and a virtio disk that nobody uses.
        try device("\(Self.pci)/0000:00:02.0", driver: "i915", module: "i915", modalias: "pci:gpu")
        try device("\(Self.pci)/0000:00:03.0", driver: "e1000e", module: "e1000e", modalias: "pci:network")
        try script.write("", "sys/\(Self.pci)/0000:00:03.0/net/eth0/address")
        try device("\(Self.pci)/0000:00:04.0", driver: "virtio-pci", module: "virtio_pci", modalias: "pci:virtio")
        try device("\(Self.pci)/0000:00:04.0/virtio0", driver: "virtio_blk", module: "virtio_blk", modalias: "virtio:2")
        try block("\(Self.pci)/0000:00:04.0/virtio0/block/vda", "254:0", partitions: ["vda1": "254:1"])
        try mounts("22 27 0:21 / /proc rw - proc proc rw", "23 27 0:22 / /sys rw - sysfs sysfs rw")
    }

    private func mounts(_ lines: String...) throws {
        try script.write(lines.joined(separator: "\n") + "\n", "proc/self/mountinfo")
    }

    /// Links a file of sysfs to another, by a relative path.
    private func link(_ name: String, to target: String) throws {
        let steps = name.split(separator: "/").dropLast().map { _ in "../" }.joined()
        try script.link("sys/\(name)", to: steps + target)
    }

    private func device(_ path: String, driver: String, module: String? = nil, modalias: String? = nil) throws {
        try script.write("", "sys/bus/drivers/\(driver)/bind")
        try link("\(path)/driver", to: "bus/drivers/\(driver)")
        if let modalias { try script.write(modalias + "\n", "sys/\(path)/modalias") }
        guard let module, !script.exists("sys/bus/drivers/\(driver)/module") else { return }
        try script.write("", "sys/module/\(module)/refcnt")
        try link("bus/drivers/\(driver)/module", to: "module/\(module)")
    }

    /// - Parameter magic: the first bytes of the device.
    private func block(
        _ path: String, _ number: String, partitions: [String: String] = [:], slaves: [String] = [], magic: String = ""
    ) throws {
        let name = path.split(separator: "/").last.map(String.init) ?? ""
        try script.write("2048\n", "sys/\(path)/size")
        try script.write(magic + "\0\0", "dev/\(name)")
        try link("dev/block/\(number)", to: path)
        try link("class/block/\(name)", to: path)
        for slave in slaves {
            let below = try FileManager.default.destinationOfSymbolicLink(
                atPath: script.path("sys/class/block/\(slave)")
            ).replacing("../", with: "")
            try link("\(path)/slaves/\(slave)", to: below)
            try link("\(below)/holders/\(name)", to: path)
        }
        for (partition, number) in partitions {
            try script.write("1\n", "sys/\(path)/\(partition)/partition")
            try block("\(path)/\(partition)", number)
        }
    }

    private func nvme() throws {
        let controller = "\(Self.pci)/0000:00:1d.0/0000:01:00.0"
        // A bridge, whose driver is no module although it has parameters.
        try device("\(Self.pci)/0000:00:1d.0", driver: "pcieport", module: "pcieport", modalias: "pci:bridge")
        try device(controller, driver: "nvme", module: "nvme", modalias: "pci:nvme")
        try block("\(controller)/nvme/nvme0/nvme0n1", "259:0", partitions: ["nvme0n1p1": "259:1"])
    }

    /// SATA disks sda and sdb. The driver sd is built in without a module.
    private func sata(magic: String = "") throws {
        let controller = "\(Self.pci)/0000:00:1f.2"
        try device(controller, driver: "ahci", module: "ahci", modalias: "pci:ahci")
        for (name, number) in [("a", 0), ("b", 1)] {
            let disk = "\(controller)/ata\(number)/host\(number)/target\(number):0:0/\(number):0:0:0"
            try device(disk, driver: "sd", modalias: "scsi:t-0x00")
            try block("\(disk)/block/sd\(name)", "8:\(number * 16)", magic: magic)
            try script.write("1\n", "sys/\(disk)/block/sd\(name)/sd\(name)1/partition")
            try block("\(disk)/block/sd\(name)/sd\(name)1", "8:\(number * 16 + 1)", magic: name == "b" ? magic : "")
        }
    }

    private func drivers() throws -> [String] {
        let result = try script.runShell([
            MakeInitramfs.scripts.path + "/mkinitramfs-drivers.sh", script.path(""),
        ])
        try #require(result.status == 0 && result.error == "", "\(result.error)")
        return result.output.split(separator: "\n").map { String($0).replacing("\t", with: " ") }
    }

    private static let nvmeDrivers = ["nvme pci:nvme"], sataDrivers = ["- scsi:t-0x00", "ahci pci:ahci"]
    private static let ext4 = "30 1 259:1 / / rw - ext4 /dev/nvme0n1p1 rw"

    @Test func findsNothingInUse() throws {
        try nvme()
        try sata()
        #expect(try drivers() == [])
    }

    @Test func findsMountedDisks() throws {
        try nvme()
        try sata()
        try mounts(Self.ext4)
        #expect(try drivers() == Self.nvmeDrivers)
        try mounts(Self.ext4, "31 1 8:17 / /a\\040b rw - xfs /dev/sdb1 rw,noquota")
        #expect(try drivers() == Self.sataDrivers + Self.nvmeDrivers)
    }

    /// File systems on several devices, each named where its type of file system names it.
    @Test(arguments: [
        "31 1 0:40 / /a rw - bcachefs /dev/vda1:/dev/sda1 rw", "31 1 254:1 / /a rw - xfs /dev/vda1 rw,logdev=/dev/sda1",
        "31 1 0:40 / /a rw - btrfs /dev/disk/by-label/data rw,subvol=/", "31 1 0:40 / /a rw - btrfs /dev/vda1 rw",
    ])
    func findsEveryDeviceOfAFileSystem(line: String) throws {
        try sata()
        try script.link("dev/disk/by-label/data", to: "../../sda1")
        if line.contains("btrfs /dev/vda1") { try link("fs/btrfs/uuid/devices/sda1", to: "class/block/sda1") }
        try mounts(line)
        #expect(try drivers().filter { !$0.contains("virtio") } == Self.sataDrivers)
    }

    @Test func findsSwap() throws {
        try sata()
        try script.write(
            "Filename Type Size Used Priority\n/swapfile file 9 0 -2\n/dev/sda1 partition 9 0 -3\n", "proc/swaps")
        #expect(try drivers() == Self.sataDrivers)
    }

    /// Device mapper on MD on a partition; what holds them is not mounted.
    @Test func findsDisksThroughLayers() throws {
        try nvme()
        try sata()
        try block("devices/virtual/block/md0", "9:0", slaves: ["sda1", "nvme0n1p1"])
        try block("devices/virtual/block/dm-0", "253:0", slaves: ["md0"])
        #expect(try drivers() == Self.sataDrivers + Self.nvmeDrivers)
        try mounts("30 1 253:0 / / rw - ext4 /dev/mapper/root rw")
        #expect(try drivers() == Self.sataDrivers + Self.nvmeDrivers)
    }

    @Test(arguments: [("TorporHP", sataDrivers), ("TorporHQ", []), ("Torpor", [])])
    func findsHibernationPartitions(magic: String, expected: [String]) throws {
        try sata(magic: magic)
        // What lies on another device is no partition of a disk.
        try block("devices/virtual/block/loop0", "7:0", magic: magic)
        #expect(try drivers() == expected)
    }

    /// A namespace that several controllers can reach.
    @Test func findsDisksThroughNVMeSubsystems() throws {
        let subsystem = "devices/virtual/nvme-subsystem/nvme-subsys0"
        try nvme()
        try link("\(subsystem)/nvme0", to: "\(Self.pci)/0000:00:1d.0/0000:01:00.0/nvme/nvme0")
        try block("\(subsystem)/nvme1n1", "259:8", magic: "TorporHP")
        #expect(try drivers() == Self.nvmeDrivers)
    }

    /// A bus between the disk and the processor has a driver as well.
    @Test func findsTheDriversOfBuses() throws {
        let port = "\(Self.pci)/0000:00:14.0", interface = "\(port)/usb1/1-1/1-1:1.0"
        try device(port, driver: "xhci_hcd", module: "xhci_pci", modalias: "pci:xhci")
        try device("\(port)/usb1", driver: "usb", module: "usbcore")
        try device(interface, driver: "uas", module: "uas", modalias: "usb:uas")
        try block("\(interface)/host9/target9:0:0/9:0:0:0/block/sdz", "65:144")
        try mounts("30 1 65:144 / / rw - ext4 /dev/sdz rw")
        #expect(try drivers() == ["uas usb:uas", "usbcore -", "xhci_pci pci:xhci"])
    }

    @Test func findsWatchdogs() throws {
        let watchdog = "\(Self.pci)/0000:00:1f.4/iTCO_wdt"
        try device("\(Self.pci)/0000:00:1f.4", driver: "i801_smbus", module: "i2c_i801", modalias: "pci:smbus")
        try device(watchdog, driver: "iTCO_wdt", module: "iTCO_wdt", modalias: "platform:iTCO_wdt")
        try script.write("", "sys/\(watchdog)/watchdog/watchdog0/dev")
        try link("\(watchdog)/watchdog/watchdog0/device", to: watchdog)
        try link("class/watchdog/watchdog0", to: "\(watchdog)/watchdog/watchdog0")
        // A watchdog in software has no device.
        try script.write("", "sys/devices/virtual/watchdog/watchdog1/dev")
        try link("class/watchdog/watchdog1", to: "devices/virtual/watchdog/watchdog1")
        #expect(try drivers() == ["i2c_i801 pci:smbus", "iTCO_wdt platform:iTCO_wdt"])
    }

    @Test func refusesAFolderWithoutAMachine() throws {
        for path in ["nowhere", "dev"] {
            let result = try script.runShell([
                MakeInitramfs.scripts.path + "/mkinitramfs-drivers.sh", script.path(path),
            ])
            #expect(result.status == 1 && result.error.contains("there is no proc or no sys in it; mount both, or"))
        }
    }
}
