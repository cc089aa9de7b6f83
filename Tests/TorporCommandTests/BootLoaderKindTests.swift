// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import TorporCommand

/// Which boot loader started this machine.
@Suite struct BootLoaderKindTests {
    private let fixture: CommandFixture
    private var boot: FakeBoot { fixture.boot }

    init() throws { fixture = try CommandFixture() }

    private func found() throws -> BootLoaderKind {
        try .thatStarted(boot.system, remedy: "name it with --boot-loader")
    }

    private func refusal() -> String? { #expect(throws: Failure.self) { try found() }?.description }

    @Test(arguments: ["/boot/grub", "/boot/grub2"]) func findsGRUBByItsConfiguration(folder: String) throws {
        try boot.addGRUB(folder)
        #expect(try found() == .grub)
        // On a machine with UEFI systemd-boot would have said that it was there. Fedora's GRUB reads loader entries, too.
        try boot.setVariable("BootOrder", "")
        try boot.write("/boot/loader/loader.conf", "")
        #expect(try found() == .grub)
    }

    @Test func believesTheFirmware() throws {
        try boot.addGRUB()
        try boot.addSystemdBoot()
        #expect(try found() == .systemdBoot)
        try boot.setVariable("LoaderInfo", "GRUB 2.12")
        #expect(try found() == .grub)
        try boot.setVariable("LoaderInfo", "rEFInd 0.14.0")
        #expect(
            refusal()
                == "find the boot loader: rEFInd 0.14.0 started this machine, which Torpor has no entry for; start "
                + "it with GRUB or "
                + "systemd-boot")
    }

    @Test func doesNotGuess() throws {
        #expect(
            refusal()
                == "find the boot loader: this machine was started with neither GRUB nor systemd-boot; name it with "
                + "--boot-loader")
        // efivarfs is not mounted.
        try boot.make("/sys/firmware/efi/efivars")
        try boot.write("/efi/loader/loader.conf", "")
        #expect(
            refusal()
                == "find the boot loader: the firmware's variables cannot be read, and only they tell of "
                + "systemd-boot; mount efivarfs "
                + "on /sys/firmware/efi/efivars")
        try boot.addGRUB()
        #expect(
            refusal()
                == "find the boot loader: both GRUB and systemd-boot are here, and nothing tells which one started "
                + "this machine; "
                + "name it with --boot-loader")
    }
}
