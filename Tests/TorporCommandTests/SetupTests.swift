// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import TorporCommand

/// How a setup is undone, and renewed after an upgrade.
@Suite struct SetupTests {
    private let system: SetupSystem

    init() throws { system = try SetupSystem() }

    private var fixture: CommandFixture { system.fixture }
    private var boot: FakeBoot { fixture.boot }

    /// The files of the system, without those that were there before.
    private func newFiles(since before: [String]) -> [String] { boot.files("").filter { !before.contains($0) } }

    @Test func removesExactlyWhatItDid() throws {
        let before = boot.files(""), menu = boot.text("/boot/grub/grub.cfg")
        #expect(fixture.run("setup", "/dev/sdb3").status == 0)
        fixture.programs.forget()
        try boot.write("/boot/grub/grub.cfg", menu ?? "")
        let result = fixture.run("setup", "--remove")
        #expect(result.status == 0 && result.errors == "", "\(result.errors)")
        // Folders of the system may stay.
        let left = newFiles(since: before).filter { !$0.hasPrefix("var") && !$0.hasPrefix("etc/systemd") }
        #expect(left == [], "\(left)")
        #expect(
            newFiles(since: before).allSatisfy {
                ["var", "var/lib", "var/lib/torpor", "etc/systemd", "etc/systemd/system"].contains($0)
            })
        #expect(
            fixture.programs.commands == [
                "systemctl disable torpor-check.service", "systemctl daemon-reload",
                "systemctl try-restart systemd-logind.service", "update-grub", "/usr/sbin/update-initramfs -u -k all",
            ])
        #expect(try fixture.devices.superblock("sdb3").state == .empty, "the partition stays")
        #expect(fixture.run("setup", "--remove").output.contains("nothing to undo"))
    }

    /// The hook adds torpor-resume as long as there are settings.
    @Test func buildsTheInitramfsWithoutSettingsWhenItIsUndone() throws {
        #expect(fixture.run("setup", "/dev/sdb3").status == 0)
        let boot = fixture.boot
        var hadSettings: [Bool] = []
        fixture.programs.onRun = { command in
            if command.contains("update-initramfs") { hadSettings.append(boot.text("/etc/torpor.conf") != nil) }
        }
        #expect(fixture.run("setup", "--remove").status == 0 && hadSettings == [false])
    }

    /// A file that somebody changed is not Torpor's any more.
    @Test func keepsWhatSomebodyChanged() throws {
        #expect(fixture.run("setup", "/dev/sdb3").status == 0)
        try boot.write(SetupSystem.target, "[Service]\nmine\n")
        try boot.write("/etc/torpor.conf", (boot.text("/etc/torpor.conf") ?? "") + "codec = xz\n")
        #expect(fixture.run("setup", "--refresh").errors.contains("\(SetupSystem.target) was changed since"))
        #expect(boot.text(SetupSystem.target) == "[Service]\nmine\n")
        let result = fixture.run("setup", "--remove")
        #expect(
            result.status == 0
                && result.errors.contains("\(SetupSystem.target) was changed since torpor setup wrote it"))
        #expect(boot.text(SetupSystem.target) == "[Service]\nmine\n")
        #expect(boot.text("/etc/torpor.conf") == nil)
        #expect(boot.text("/etc/torpor.conf.saved")?.hasSuffix("codec = xz\n") == true)
    }

    @Test func givesSettingsBackThatWereThereBefore() throws {
        try boot.write("/etc/torpor.conf", "codec = xz\n")
        #expect(fixture.run("setup", "--direct-start", "/dev/sdb3").status == 0)
        #expect(
            boot.text("/etc/torpor.conf")
                == "codec = xz\ndevice = /dev/sdb3\ndirect-start = yes\n".replacing(
                    "/dev", with: fixture.devices.folder.path))
        #expect(fixture.run("setup", "--remove").status == 0)
        #expect(boot.text("/etc/torpor.conf") == "codec = xz\n")
    }

    /// The package's script calls it before the files go: the settings stay until a purge.
    @Test func keepsTheSettingsForThePackage() throws {
        #expect(fixture.run("setup", "/dev/sdb3").status == 0)
        fixture.programs.forget()
        #expect(fixture.run("setup", "--remove", "--keep-configuration").status == 0)
        #expect(boot.text("/etc/torpor.conf") != nil && boot.text(SetupSystem.target) == nil)
        #expect(fixture.programs.commands.contains("/usr/sbin/update-initramfs -u -k all"))
        // The hook would add torpor-resume as long as there are settings.
        #expect(fixture.programs.environments["/usr/sbin/update-initramfs"] == ["TORPOR_REMOVAL": "yes"])
        fixture.programs.forget()
        #expect(fixture.run("setup", "--refresh").status == 0)
        #expect(fixture.programs.commands == [], "nothing is set up any more")
    }

    @Test func refreshesAfterAnUpgrade() throws {
        #expect(fixture.run("setup", "--refresh").status == 0, "without a setup there is nothing to do")
        #expect(fixture.run("setup", "/dev/sdb3").status == 0)
        fixture.programs.forget()
        try boot.write(SetupSystem.source, SetupSystem.dropIn + "# new\n")
        try boot.write("/usr/lib/torpor/rootfs.gz", "newer")
        #expect(fixture.run("setup", "--refresh").status == 0)
        #expect(boot.text(SetupSystem.target) == SetupSystem.dropIn + "# new\n")
        #expect(fixture.programs.commands.contains("/usr/lib/torpor/update-rootfs.sh add 6.12.107"))
        #expect(fixture.programs.commands.contains("systemctl daemon-reload"))
    }

    /// A step that fails says why, and what was done before it can be undone.
    @Test func keepsTheRecordOfStepsBeforeAFailure() throws {
        fixture.programs.results["/usr/sbin/update-initramfs"] = .success(
            ProgramResult(end: .exited(1), errors: "mkinitramfs: no space\ncp: disk full\n"))
        let result = fixture.run("setup", "/dev/sdb3")
        #expect(result.status == 1 && result.output.contains("   mkinitramfs: no space\n"))
        #expect(
            result.errors.hasSuffix(
                "torpor: run /usr/sbin/update-initramfs -u -k all: it exited with status 1: cp: disk full; run it by hand to "
                    + "see more, and then torpor setup again\n"))
        fixture.programs.results = [:]
        #expect(fixture.run("setup", "--remove").status == 0)
        #expect(boot.text("/etc/torpor.conf") == nil && boot.text("/var/lib/torpor/setup.json") == nil)
    }
}
