// SPDX-License-Identifier: Apache-2.0
import Foundation

/// A disk with a boot loader, from which a machine starts without QEMU's help (`Machine.boots`).
///
/// It has a GPT. The first partition is for the firmware; with GRUB, the second one is /boot (ext4), and with systemd-boot the
/// first one is (FAT). The last one is for the test; by default it is empty, for a hibernation partition.
public struct BootDisk {
    public enum Loader: String, Sendable, CaseIterable {
        case systemdBoot = "systemd-boot"
        case grubUEFI = "grub-uefi"
        case grubBIOS = "grub-bios"

        public var firmware: Machine.Firmware { self == .grubBIOS ? .bios : .uefi }
        /// The partition with kernels and boot entries, and the last one, on the first virtio disk.
        public var bootPartition: String { self == .systemdBoot ? "/dev/vda1" : "/dev/vda2" }
        public var hibernationPartition: String { self == .systemdBoot ? "/dev/vda2" : "/dev/vda3" }
        /// The boot partition's number on the disk, from 0.
        fileprivate var bootIndex: Int { self == .systemdBoot ? 0 : 1 }
    }

    public let loader: Loader
    public let image: URL
    private let bootPartition: Range<UInt64>
    /// The boot partition and the last one, as half-open ranges of bytes.
    let fileSystems: [Range<UInt64>]

    /// - Parameters:
    ///   - initrd, commandLine: of the entry `a`, which is the default.
    ///   - files: more files of the boot partition, by their paths in it.
    ///   - last: the content of the last partition.
    public init(
        _ loader: Loader, in lab: Lab, kernel: URL = Products.kernel, initrd: URL, commandLine: String = "",
        files: [String: URL] = [:], last: PartitionedDisk.Content = .empty(512 << 20)
    ) throws {
        self.loader = loader
        let content = lab.folder.appending(path: "boot")
        try FileManager.default.createDirectory(at: content, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: content) }
        try Self.copy(kernel, to: content, "a/vmlinuz")
        try Self.copy(initrd, to: content, "a/initrd")
        for (path, file) in files { try Self.copy(file, to: content, path) }
        let commandLine = "console=ttyS0 panic=-1 \(commandLine)"
        let disk: PartitionedDisk
        switch loader {
        case .systemdBoot:
            try Self.copy(
                URL(filePath: "/usr/lib/systemd/boot/efi/systemd-bootx64.efi"), to: content, "EFI/BOOT/BOOTX64.EFI")
            try Self.write("timeout 0\ndefault a.conf\n", to: content, "loader/loader.conf")
            try Self.write(
                "title A\nlinux /a/vmlinuz\ninitrd /a/initrd\noptions \(commandLine)\n", to: content,
                "loader/entries/a.conf")
            disk = try lab.partitions(
                "boot", [.efiSystem(try Self.fat(content, in: lab, 128 << 20)), last])
        case .grubUEFI, .grubBIOS:
            try Self.write(GRUBImage.configuration(commandLine), to: content, "grub/grub.cfg")
            try Self.write(GRUBImage.environment, to: content, "grub/grubenv")
            let boot = try lab.disk("ext4", 128 << 20)
            // GRUB 2.06 does not read file systems with newer features.
            try Tool.run(
                "/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-O", "^metadata_csum_seed,^orphan_file", "-d", content.path,
                boot.path)
            let first: PartitionedDisk.Content
            if loader == .grubUEFI {
                let tree = lab.folder.appending(path: "esp")
                defer { try? FileManager.default.removeItem(at: tree) }
                try Self.copy(try GRUBImage.make(.uefi, in: lab), to: tree, "EFI/BOOT/BOOTX64.EFI")
                first = .efiSystem(try Self.fat(tree, in: lab, 64 << 20))
            } else {
                first = .biosBoot(try GRUBImage.make(.bios, in: lab))
            }
            disk = try lab.partitions("boot", [first, .file(boot), last])
            if loader == .grubBIOS { try GRUBImage.writeBootSector(to: disk) }
        }
        image = disk.image
        bootPartition = disk.partitions[loader.bootIndex]
        fileSystems = [bootPartition, disk.partitions[loader.bootIndex + 1]]
    }

    /// The machine that starts from this disk.
    public func machine(_ name: String, others: [URL] = []) -> Machine {
        // The boot loader has the kernel and the initrd.
        var machine = Machine(name: name, disks: ([image] + others).map { Machine.Disk(image: $0) }, initrd: image)
        machine.firmware = loader.firmware
        machine.boots = .disk
        return machine
    }

    /// The text of a file on GRUB's /boot.
    public func text(_ path: String) throws -> String {
        let copy = image.deletingPathExtension().appendingPathExtension("ext4.img")
        defer { try? FileManager.default.removeItem(at: copy) }
        try PartitionedDisk.extract(bootPartition, of: image, to: copy)
        return try Tool.run("/sbin/debugfs", "-R", "cat \(path)", copy.path)
    }

    // MARK: Files

    private static func copy(_ file: URL, to folder: URL, _ path: String) throws {
        let target = folder.appending(path: path)
        try FileManager.default.createDirectory(
            at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
        try FileManager.default.copyItem(at: file.resolvingSymlinksInPath(), to: target)
    }

    private static func write(_ text: String, to folder: URL, _ path: String) throws {
        let target = folder.appending(path: path)
        try FileManager.default.createDirectory(
            at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: target)
    }

    /// A FAT file system with the contents of a folder.
    private static func fat(_ folder: URL, in lab: Lab, _ byteCount: UInt64) throws -> URL {
        let image = try lab.disk("fat", byteCount)
        try Tool.run("/sbin/mkfs.vfat", "-F", "32", image.path)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        try Tool.run(
            ["/usr/bin/mcopy", "-s", "-i", image.path] + names.map { folder.appending(path: $0).path } + ["::/"])
        return image
    }
}
