// SPDX-License-Identifier: Apache-2.0
import Foundation

/// A Debian guest with systemd and PostgreSQL under load, on a kernel with Debian's own configuration: all disk drivers are
/// modules. `make stock` makes its parts; Tests/VM/stock/guest.sh is what it does.
///
/// The boot loader, /boot and the root file system are on an NVMe disk, the hibernation partition is on an AHCI disk.
public struct DebianGuest {
    /// What hibernates the guest.
    public enum Hibernator: String, Sendable, CaseIterable {
        /// Torpor; kernels B and C are the guest's own kernel, with a rootfs.gz that has the drivers.
        case own
        /// Torpor with its small kernel.
        case small
        /// The kernel's own hibernation.
        case kernel
        /// Torpor with its small kernel; the guest installs its packages and sets itself up (Tests/VM/stock/package.sh).
        case packages
    }

    /// Whether `make stock` has made the guest's parts.
    public static var isThere: Bool { Products.exists(Products.stockRoot) }

    private let lab: Lab
    private let boot: BootDisk
    private let hibernationDisk: URL
    private let timeout: Double

    /// - Parameter isDirect: whether the boot loader starts kernel C; otherwise it starts the guest's kernel and initramfs.
    public init(_ loader: BootDisk.Loader, _ hibernator: Hibernator, isDirect: Bool = false, in lab: Lab) throws {
        self.lab = lab
        let kernel = Products.stockJumpKernel
        let release = try String(contentsOfFile: kernel.path + ".release", encoding: .utf8)
            .trimmingCharacters(in: .whitespacesAndNewlines)
        // The fstab of the guest has the numbers of its partitions; the root file system is the third one.
        let isPackaged = hibernator == .packages
        // Each step of a package's life builds an initramfs, which takes minutes in an emulated machine.
        timeout = isPackaged ? 3600 : 900
        let initrd = isPackaged ? Products.stockPackagesInitrd : Products.stockInitrd
        var files = ["vmlinuz-\(release)": kernel, "config-\(release)": kernel.appendingPathExtension("config")]
        // update-initramfs renews it.
        if isPackaged { files["initrd.img-\(release)"] = initrd }
        let resume = hibernator == .kernel ? " resume=PARTUUID=\(Self.hibernationPartition)" : ""
        boot = try BootDisk(
            loader, in: lab, kernel: kernel, initrd: initrd,
            commandLine: "root=PARTUUID=00000000-0000-4000-9000-000300000001 ro systemd.show_status=0 net.ifnames=0"
                + " torpor-guest=\(hibernator.rawValue)\(isDirect ? ",direct" : "")\(resume)",
            files: files, last: .file(isPackaged ? Products.stockPackagesRoot : Products.stockRoot))
        hibernationDisk = try lab.partitionedDisk("hibernation", 3 << 30)
    }

    private static let hibernationPartition = "00000000-0000-4000-9000-000100000002"

    public func machine(_ name: String) -> Machine {
        var machine = boot.machine(name, others: [hibernationDisk])
        machine.disks[0].bus = .nvme
        machine.disks[1].bus = .ahci
        machine.memory = "2G"
        machine.isSingleThreaded = true
        machine.timeout = timeout
        return machine
    }

    /// The bytes that are allocated for the hibernation disk's image.
    public func hibernationByteCount() throws -> Int { try hibernationDisk.allocatedBytes() }

    /// Checks the guest's file systems, as `e2fsck -fn` does.
    /// - Throws: if one is not clean.
    public func checkFileSystems() throws {
        for partition in boot.fileSystems {
            let copy = lab.folder.appending(path: "checked.img")
            defer { try? FileManager.default.removeItem(at: copy) }
            try PartitionedDisk.extract(partition, of: boot.image, to: copy)
            try Tool.run("/sbin/e2fsck", "-fn", copy.path)
        }
    }
}
