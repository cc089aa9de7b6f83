// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import TorporCommand

@Suite struct BootSystemTests {
    private let fixture: CommandFixture
    private var boot: FakeBoot { fixture.boot }

    init() throws { fixture = try CommandFixture() }

    private func place(_ path: String) throws -> String {
        let mount = try boot.system.mount(of: path)
        return "\(mount.source) \(boot.system.pathInFileSystem(path, mount))"
    }

    @Test func findsTheFileSystemOfAPath() throws {
        #expect(try place("/boot") == "/dev/sda2 /boot")
        boot.mounts = [
            FakeBoot.root, "22 21 8:3 / /boot rw - ext4 /dev/sda3 rw", "23 21 8:4 / /boo rw - ext4 /dev/sda4 rw",
        ]
        try boot.make("/boot/grub")
        #expect(try place("/boot") == "/dev/sda3 ")
        #expect(try place("/boot/grub") == "/dev/sda3 /grub")
        // A later mount hides an earlier one.
        boot.mounts.append("24 22 8:5 / /boot rw - ext4 /dev/sda5 rw")
        #expect(try place("/boot/grub") == "/dev/sda5 /grub")
    }

    @Test func findsTheFolderOfASubvolume() throws {
        boot.mounts = [
            "21 1 0:30 /@ / rw - btrfs /dev/sda2 rw,subvol=/@", "22 21 0:30 /@boot /boot rw - btrfs /dev/sda2 rw",
        ]
        #expect(try place("/boot") == "/dev/sda2 /@boot")
        boot.mounts.removeLast()
        #expect(try place("/boot") == "/dev/sda2 /@/boot")
    }

    @Test func followsSymbolicLinks() throws {
        boot.mounts.append(FakeBoot.efiSystem)
        try boot.write("/efi/grub/grubenv", "")
        try boot.link("/boot/grub/grubenv", "../../efi/grub/grubenv")
        #expect(try place("/boot/grub/grubenv") == "/dev/sda1 /grub/grubenv")
    }

    @Test func saysIfNoMountShowsAPath() {
        boot.mounts = [FakeBoot.efiSystem]
        let failure = #expect(throws: Failure.self) { try boot.system.mount(of: "/boot") }
        #expect(
            failure?.description == "find the file system of /boot: no mount in /proc/self/mountinfo shows it")
    }
}
