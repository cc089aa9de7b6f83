// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import Foundation

@testable import TorporCommand

/// A folder with the files of a system that its boot loader reads and writes.
final class FakeBoot {
    let folder: URL
    /// The lines of /proc/self/mountinfo.
    var mounts = [FakeBoot.root] { didSet { try? writeMounts() } }
    /// The UUIDs of file systems, by the source of their mount.
    var uuids = ["/dev/sda2": "0a1b2c3d-1111-4222-8333-444455556666"]

    /// - Parameter folder: an existing folder.
    init(in folder: URL) throws {
        self.folder = folder.appending(path: "root")
        for path in ["/boot", "/etc", "/proc/self", "/usr/lib/torpor"] { try make(path) }
        try writeMounts()
        try write(
            "/proc/cmdline", "BOOT_IMAGE=/vmlinuz root=/dev/sda2 ro console=tty0 console=ttyS0,115200n8 pci=nomsi\n")
        try write("/boot/vmlinuz-6.12.107", "kernel")
        try write("/usr/lib/torpor/rootfs.gz", "rootfs")
    }

    static let root = "21 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw"
    static let efiSystem = "30 21 8:1 / /efi rw,relatime shared:2 - vfat /dev/sda1 rw,fmask=0077"

    var system: BootSystem {
        BootSystem(root: folder.path) { [uuids] (mount) in uuids[mount.source] }
    }

    private func writeMounts() throws {
        try write("/proc/self/mountinfo", mounts.joined(separator: "\n") + "\n")
    }

    // MARK: Files

    func make(_ path: String) throws {
        try FileManager.default.createDirectory(atPath: folder.path + path, withIntermediateDirectories: true)
    }

    func write(_ path: String, _ text: String) throws { try write(path, Data(text.utf8)) }

    func write(_ path: String, _ data: Data) throws {
        try make((path as NSString).deletingLastPathComponent)
        try data.write(to: URL(filePath: folder.path + path))
    }

    func remove(_ path: String) throws { try FileManager.default.removeItem(atPath: folder.path + path) }

    func link(_ path: String, _ target: String) throws {
        try make((path as NSString).deletingLastPathComponent)
        try FileManager.default.createSymbolicLink(atPath: folder.path + path, withDestinationPath: target)
    }

    func text(_ path: String) -> String? {
        (try? Data(contentsOf: URL(filePath: folder.path + path))).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The paths of all files below a folder, sorted.
    func files(_ path: String) -> [String] {
        (FileManager.default.enumerator(atPath: folder.path + path)?.compactMap { $0 as? String } ?? []).sorted()
    }

    func mode(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: folder.path + path)[.posixPermissions] as? Int
    }

    // MARK: GRUB

    /// Installs GRUB, without an entry for kernel C.
    func addGRUB(_ folder: String = "/boot/grub", variables: String = "") throws {
        try write("\(folder)/grub.cfg", "if [ \"${next_entry}\" ] ; then\n  set default=\"${next_entry}\"\nfi\n")
        try write("\(folder)/grubenv", FakeBoot.environment(variables))
        try make("/etc/grub.d")
        try write("/usr/sbin/update-grub", "")
    }

    /// GRUB's environment block with these lines.
    static func environment(_ lines: String) -> String {
        let text = "# GRUB Environment Block\n" + lines
        return text + String(repeating: "#", count: 1024 - text.utf8.count)
    }

    /// Does what update-grub does: the output of the entry's program becomes part of grub.cfg.
    func updateGRUB(_ folder: String = "/boot/grub") throws {
        let program = Process(), output = Pipe()
        program.executableURL = URL(filePath: "/bin/sh")
        program.arguments = [self.folder.path + "/etc/grub.d/42_torpor"]
        program.standardOutput = output
        try program.run()
        let entry = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        program.waitUntilExit()
        try write("\(folder)/grub.cfg", (text("\(folder)/grub.cfg") ?? "") + entry)
    }

    // MARK: systemd-boot

    /// Installs systemd-boot on /efi, with an entry, without one for kernel C.
    func addSystemdBoot() throws {
        mounts = [FakeBoot.root, FakeBoot.efiSystem]
        try write("/efi/loader/loader.conf", "timeout 3\n")
        try write("/efi/loader/entries/debian.conf", "title Debian\nsort-key debian\nlinux /vmlinuz\n")
        try setVariable("LoaderInfo", "systemd-boot 252.39-1~deb12u2")
        try write(variable("LoaderFeatures"), Data([6, 0, 0, 0, 0xff, 1, 0, 0, 0, 0, 0, 0]))
    }

    func variable(_ name: String) -> String {
        "/sys/firmware/efi/efivars/\(name)-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
    }

    /// Sets a firmware variable as systemd-boot does.
    func setVariable(_ name: String, _ text: String) throws {
        var data = Data([6, 0, 0, 0])
        for unit in Array(text.utf16) + [0] { data += [UInt8(unit & 0xff), UInt8(unit >> 8)] }
        try write(variable(name), data)
    }

    func data(_ path: String) -> Data? { try? Data(contentsOf: URL(filePath: folder.path + path)) }
}
