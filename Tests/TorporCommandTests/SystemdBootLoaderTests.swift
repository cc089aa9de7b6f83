// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Hibernation
import Linux
import Testing

@testable import TorporCommand

@Suite struct SystemdBootLoaderTests {
    private let fixture: CommandFixture
    private var boot: FakeBoot { fixture.boot }

    init() throws {
        fixture = try CommandFixture()
        try fixture.boot.addSystemdBoot()
    }

    private func loader() throws -> SystemdBootLoader { try SystemdBootLoader(boot.system) }

    private func refusal(_ work: () throws -> Void) -> String? {
        #expect(throws: Failure.self) { try work() }?.description
    }

    // MARK: The partition

    @Test func findsItsPartition() throws {
        #expect(
            try loader().files
                == BootEntryFiles(
                    kernel: "/efi/torpor/vmlinuz", initrd: "/efi/torpor/rootfs.gz",
                    entry: "/efi/loader/entries/torpor.conf",
                    isEntryProgram: false))
        // The extended boot loader partition precedes it, but a folder on another file system is not read by systemd-boot.
        try boot.make("/boot/loader/entries")
        #expect(try loader().folder == "/efi")
        boot.mounts.append("31 21 8:3 / /boot rw - vfat /dev/sda3 rw")
        #expect(try loader().folder == "/boot")
    }

    @Test func saysIfItsPartitionIsNotMounted() {
        boot.mounts = [FakeBoot.root]
        #expect(
            refusal { _ = try loader() }
                == "find systemd-boot's partition: no FAT file system with loader/entries is mounted on /boot, /efi "
                + "or /boot/efi; "
                + "mount the EFI system partition on /efi")
    }

    // MARK: The entry

    @Test func writesAnEntry() throws {
        let commandLine = BootEntryCommandLine(
            parametersForC: ["mem=128M"], own: KernelCommandLine("usbcore.quirks=\"1 2\""),
            additional: KernelCommandLine(""))
        let entry = try loader().entry(commandLine)
        #expect(
            entry == """
                title   Torpor: resume
                linux   /torpor/vmlinuz
                initrd  /torpor/rootfs.gz
                options usbcore.quirks="1 2" mem=128M panic=10 quiet torpor.fallback=reboot

                """)
        try boot.write("/efi/loader/entries/torpor.conf", try loader().content(ofEntry: entry))
        #expect(try loader().installedParameters() == commandLine.parameters)
    }

    @Test func saysThatThereIsNoEntry() throws {
        let expected =
            "select the boot entry torpor.conf: there is no entry of Torpor in /efi/loader/entries; run torpor "
            + "boot-entry --install"
        #expect(refusal { _ = try loader().installedParameters() } == expected)
        try boot.write("/efi/loader/entries/torpor.conf", "title mine\noptions mem=128M\n")
        #expect(refusal { _ = try loader().installedParameters() } == expected)
    }

    /// Without a default, systemd-boot starts the first entry, which could be the one for kernel C.
    @Test func refusesToBecomeTheDefault() throws {
        let expected =
            "install the entry for systemd-boot: no default entry is set, so it would be started every time; set one "
            + "with: bootctl "
            + "set-default ID"
        try loader().requireInstallable()
        try boot.write("/efi/loader/entries/debian.conf", "title Debian\nsort-keys no\nlinux /vmlinuz\n")
        #expect(refusal { try loader().requireInstallable() } == expected)
        for line in ["default torpor*", "default *", "#default debian.conf", "default"] {
            try boot.write("/efi/loader/loader.conf", line + "\n")
            #expect(refusal { try loader().requireInstallable() } == expected, "\(line)")
        }
        try boot.write("/efi/loader/loader.conf", "timeout 3\ndefault\tdebian*\n")
        try loader().requireInstallable()
        // The variable precedes loader.conf.
        try boot.setVariable("LoaderEntryDefault", "torpor.conf")
        #expect(refusal { try loader().requireInstallable() } == expected)
        try boot.setVariable("LoaderEntryDefault", "debian.conf")
        try boot.remove("/efi/loader/loader.conf")
        try loader().requireInstallable()
    }

    @Test(arguments: [("/efi/EFI/Linux/debian.efi", ""), ("/efi/loader/entries/void.conf", "title Void\n")])
    func isNotTheDefaultBehindOtherEntries(file: String, text: String) throws {
        try boot.remove("/efi/loader/entries/debian.conf")
        #expect(throws: Failure.self) { try loader().requireInstallable() }
        try boot.write(file, text)
        try loader().requireInstallable()
    }

    // MARK: The selection

    @Test func selectsForTheNextStartOnly() throws {
        try loader().requireSelectable()
        #expect(try loader().selected() == nil)
        try loader().select("torpor.conf")
        #expect(try loader().selected() == "torpor.conf")
        let variable = boot.variable("LoaderEntryOneShot")
        #expect(boot.data(variable)?.count == 4 + 2 * 12)
        // systemd-boot removed it: efivarfs shows an empty file.
        try boot.write(variable, "")
        #expect(try loader().selected() == nil)
        try loader().select(nil)
        #expect(boot.text(variable) == nil)
    }

    @Test func needsALoaderThatCanDoThat() throws {
        try boot.write(boot.variable("LoaderFeatures"), Data([6, 0, 0, 0, 0xf7, 0, 0, 0, 0, 0, 0, 0]))
        #expect(
            refusal { try loader().requireSelectable() }
                == "select the boot entry torpor.conf: systemd-boot 252.39-1~deb12u2 cannot start an entry only "
                + "once; update it with: "
                + "bootctl update")
        try boot.setVariable("LoaderInfo", "GRUB 2.12")
        #expect(
            refusal { try loader().requireSelectable() }
                == "select the boot entry torpor.conf: systemd-boot did not start this machine; hibernate without "
                + "--direct-start")
    }
}
