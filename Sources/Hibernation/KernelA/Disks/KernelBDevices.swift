// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import Linux

/// The block devices of this system that kernel B will have: disks and their partitions, if their drivers are built in or in
/// rootfs.gz.
struct KernelBDevices {
    /// The mount point of sysfs.
    var sysfs = "/sys"
    /// The modules that /init of kernel B loads.
    var modules = ModuleList.none
    var builtIn = BuiltIn.asRunning

    /// What is known of the drivers that are built into kernel B.
    enum BuiltIn: Equatable {
        /// Kernel B is the running kernel, so what is no loaded module is built in.
        case asRunning
        /// Kernel B is another kernel, with its file.
        case listed(BuiltInModules, kernelPath: String)
        case unknown
    }

    /// Refuses a device that kernel B will not have.
    /// - Parameters:
    ///   - use: the device's use, for the message: `the hibernation partition`.
    func requirePresent(_ device: DeviceNumber, _ path: String, use: String) throws(Failure) {
        if let layer = layer(device) {
            throw Failure(
                "use", "\(path), \(use)", "it lies on \(layer), and kernel B finds only disks and their partitions",
                remedy: "use a partition of a disk")
        }
        if let network = network(device) {
            throw Failure(
                "use", "\(path), \(use)", "it is reached over a network (\(network)), and kernel B has no network",
                remedy: "use a local disk")
        }
        guard let (driver, module) = missingDriver(of: device) else { return }
        let found = "its driver \(driver) is the module \(module)"
        switch builtIn {
        case .listed(_, let kernelPath):
            throw Failure(
                "use", "\(path), \(use)", "\(found), which neither \(kernelPath.utf8.printable) nor rootfs.gz has",
                remedy: "name with --kernel a kernel that has the driver")
        case .asRunning, .unknown:
            throw Failure(
                "use", "\(path), \(use)", "\(found), which rootfs.gz does not have",
                remedy:
                    "build rootfs.gz with: mkinitramfs.sh --kernel-version \(systemNames().release); or name with --kernel a "
                    + "kernel that has the driver built in")
        }
    }

    /// Whether kernel B lacks a driver of a device on the path to a disk.
    /// - Parameters:
    ///   - folder: the device in sysfs.
    ///   - module: the driver's module, as in /sys/module.
    private func isMissing(_ module: String, of folder: String) -> Bool {
        guard !modules.contains(module) else { return false }
        switch builtIn {
        case .unknown: return false
        // Only a loaded module has this file; built-in code has none (6.12, kernel/module/main.c, `show_initstate`).
        case .asRunning: return exists("\(sysfs)/module/\(module)/initstate")
        case .listed(let names, _):
            // A PCI bridge works without its driver; its class is 0x0604 (PCI Code and ID Assignment Specification).
            let isBridge = (try? readText("\(folder)/class"))?.utf8.starts(with: "0x0604".utf8) ?? false
            return !names.contains(module) && !isBridge
        }
    }

    /// The layer that provides a virtual block device, for messages: `the LVM volume vg-swap`. It is nil for disks and their
    /// partitions.
    func layer(_ device: DeviceNumber) -> String? {
        guard isVirtual(device, sysfs: sysfs) else { return nil }
        let folder = "\(sysfs)/dev/block/\(device)"
        // A partition has the layer of its disk.
        for top in [folder, "\(folder)/.."] {
            if exists("\(top)/dm") {
                let name = (try? readText("\(top)/dm/name")).map { trimmed($0) } ?? ""
                let isVolume = ((try? readText("\(top)/dm/uuid")) ?? "").utf8.starts(with: "LVM-".utf8)
                return "the \(isVolume ? "LVM volume" : "device-mapper device") \(name)"
            }
            if exists("\(top)/md") { return "a RAID (md)" }
            if exists("\(top)/loop") { return "a loop device" }
        }
        return "a virtual block device"
    }

    /// The network protocol through which a disk is reached, for messages: `iSCSI`. It is nil for a local disk. The disk's path
    /// in sysfs shows it (drivers of 6.12).
    func network(_ device: DeviceNumber) -> String? {
        guard let link = readLink("\(sysfs)/dev/block/\(device)") else { return nil }
        let path = resolved("dev/block", link)
        for (number, part) in path.enumerated() {
            func isNumbered(_ name: String) -> Bool {
                part.utf8.starts(with: name.utf8)
                    && parseNumber(String(decoding: part.utf8.dropFirst(name.utf8.count), as: UTF8.self)) != nil
            }
            // drivers/scsi/scsi_transport_iscsi.c, iSER included
            if isNumbered("session") { return "iSCSI" }
            // drivers/scsi/fcoe/fcoe_sysfs.c
            if isNumbered("ctlr_") { return "FCoE" }
            // drivers/usb/usbip/vhci_hcd.c
            if isNumbered("vhci_hcd.") { return "USB/IP" }
            // drivers/block/rbd.c, `rbd_root_dev`
            if part == "rbd", number > 0, path[number - 1] == "devices" { return "RBD" }
            if part == "nvme-fabrics" { return "NVMe over Fabrics" }
        }
        // A namespace that several controllers can reach is below its subsystem in sysfs (drivers/nvme/host/sysfs.c,
        // `transport`).
        guard let number = path.firstIndex(of: "nvme-subsystem"), number + 1 < path.count else { return nil }
        let subsystem = "\(sysfs)/\(path[...(number + 1)].joined(separator: "/"))"
        for entry in (try? listDirectory(subsystem)) ?? [] {
            guard let transport = try? readText("\(subsystem)/\(entry)/transport") else { continue }
            if ["tcp", "rdma", "fc", "loop"].contains(trimmed(transport)) { return "NVMe over Fabrics" }
        }
        return nil
    }

    /// The first driver on the path from a device up to its bus that kernel B lacks.
    func missingDriver(of device: DeviceNumber) -> (driver: String, module: String)? {
        guard let link = readLink("\(sysfs)/dev/block/\(device)") else { return nil }
        // `../../devices/pci0000:00/…/block/sda/sda1`
        return missingDriver(from: resolved("dev/block", link))
    }

    private func missingDriver(from path: [String]) -> (driver: String, module: String)? {
        var path = path
        while path.count > 1 {
            let folder = "\(sysfs)/\(path.joined(separator: "/"))"
            if let driver = lastPart(of: readLink("\(folder)/driver")),
                let module = lastPart(of: readLink("\(folder)/driver/module")),
                isMissing(module, of: folder)
            {
                return (driver, module)
            }
            let name = path.removeLast()
            // An NVMe namespace is below a subsystem, which has links to its controllers.
            if path.last == "nvme-subsystem" {
                for entry in (try? listDirectory(folder)) ?? [] {
                    guard let link = readLink("\(folder)/\(entry)"), entry.utf8.starts(with: "nvme".utf8) else {
                        continue
                    }
                    let controller = resolved((path + [name]).joined(separator: "/"), link)
                    if let found = missingDriver(from: controller) { return found }
                }
            }
        }
        return nil
    }

    /// The components of the path that a symbolic link in a folder points to.
    private func resolved(_ folder: String, _ link: String) -> [String] {
        var path = folder.split(separator: "/").map { String($0) }
        for part in link.split(separator: "/") {
            if part == ".." { _ = path.popLast() } else { path.append(String(part)) }
        }
        return path
    }

    private func lastPart(of link: String?) -> String? { link?.split(separator: "/").last.map { String($0) } }
}
