// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Testing

@testable import TorporCommand

/// Which program builds the initramfs of a distribution.
@Suite struct InitramfsStepTests {
    private let fixture: CommandFixture

    init() throws {
        fixture = try CommandFixture()
        try fixture.devices.addPartition("sdb3")
        try fixture.boot.write("/usr/lib/torpor/vmlinuz", "")
        fixture.hibernation.onCheck = { (_, _) throws(Failure) in ("/dev/sdb3", ["mem=128M"]) }
    }

    private static let hooks = [
        "initramfs-tools": "/usr/share/initramfs-tools/hooks/torpor",
        "dracut": "/usr/lib/dracut/modules.d/74torpor/module-setup.sh",
        "mkinitcpio": "/usr/lib/initcpio/install/torpor",
    ]

    @Test(arguments: [
        (["update-initramfs"], ["initramfs-tools"], "/usr/bin/update-initramfs -u -k all"),
        (["dracut"], ["dracut"], "/usr/bin/dracut --force --regenerate-all"),
        (["mkinitcpio"], ["mkinitcpio"], "/usr/bin/mkinitcpio -P"),
        // Debian's dracut comes with update-initramfs, too: the hook tells which one is meant.
        (["update-initramfs", "dracut"], ["dracut"], "/usr/bin/dracut --force --regenerate-all"),
    ]) func findsTheBuilder(programs: [String], hooks: [String], command: String) throws {
        for program in programs { try fixture.boot.write("/usr/bin/\(program)", "") }
        for hook in hooks { try fixture.boot.write(Self.hooks[hook] ?? "", "") }
        let result = fixture.run("setup", "/dev/sdb3")
        #expect(result.status == 0, "\(result.errors)")
        #expect(fixture.programs.commands == [command])
    }

    @Test(arguments: [
        (["mkinitcpio"], "Torpor's hook for mkinitcpio is not installed"),
        (["update-initramfs"], "Torpor's hook for initramfs-tools is not installed"),
        ([], "neither initramfs-tools nor dracut nor mkinitcpio is here"),
    ]) func refusesASystemWithoutTheHook(programs: [String], reason: String) throws {
        for program in programs { try fixture.boot.write("/usr/bin/\(program)", "") }
        let result = fixture.run("setup", "/dev/sdb3")
        #expect(result.status == 1 && result.errors.contains(reason), "\(result.errors)")
    }

    /// Without the package, mkinitcpio would not find the hook that the drop-in names.
    @Test func takesTheDropInOfMkinitcpioBackAlsoIfTheSettingsStay() throws {
        try fixture.boot.write("/usr/bin/mkinitcpio", "")
        try fixture.boot.write(Self.hooks["mkinitcpio"] ?? "", "")
        #expect(fixture.run("setup", "/dev/sdb3").status == 0)
        #expect(fixture.boot.text("/etc/mkinitcpio.conf.d/torpor.conf") != nil)
        #expect(fixture.run("setup", "--remove", "--keep-configuration").status == 0)
        #expect(fixture.boot.text("/etc/mkinitcpio.conf.d/torpor.conf") == nil)
    }

    /// The settings of mkinitcpio are a Bash script, so Bash tells what the drop-in makes of them.
    @Test(arguments: [
        ("base udev autodetect block filesystems fsck", "base udev autodetect block torpor filesystems fsck"),
        ("base udev block encrypt lvm2 filesystems", "base udev block torpor encrypt lvm2 filesystems"),
        ("base systemd block sd-encrypt filesystems", "base systemd block sd-torpor sd-encrypt filesystems"),
        ("base udev filesystems torpor", "base udev torpor filesystems"), ("base udev", "base udev"),
    ]) func putsTheHookOfMkinitcpioBeforeTheFileSystems(before: String, after: String) throws {
        try fixture.boot.write("/usr/bin/mkinitcpio", "")
        try fixture.boot.write(Self.hooks["mkinitcpio"] ?? "", "")
        #expect(fixture.run("setup", "/dev/sdb3").status == 0)
        let dropIn = fixture.boot.folder.path + "/etc/mkinitcpio.conf.d/torpor.conf"
        let program = Process(), output = Pipe()
        program.executableURL = URL(filePath: "/bin/bash")
        program.arguments = ["-uc", "HOOKS=(\(before)); source '\(dropIn)'; echo \"${HOOKS[*]}\""]
        program.standardOutput = output
        try program.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        program.waitUntilExit()
        #expect(text == after + "\n")
        #expect(
            fixture.run("setup", "--remove").status == 0
                && fixture.boot.text("/etc/mkinitcpio.conf.d/torpor.conf") == nil)
    }
}
