// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import TorporCommand

/// A whole setup on a system with GRUB, initramfs-tools and systemd, and its undoing.
@Suite struct SetupCommandTests {
    private let fixture: CommandFixture

    init() throws {
        fixture = try CommandFixture()
        try fixture.devices.add("sdb3")
        try fixture.boot.addGRUB()
        for path in [
            "/usr/sbin/update-initramfs", "/usr/share/initramfs-tools/hooks/torpor", "/usr/lib/torpor/update-rootfs.sh",
            "/run/systemd/system/x", "/usr/lib/torpor/systemd/system/torpor-check.service",
        ] { try fixture.boot.write(path, "") }
        try fixture.boot.write(Self.source, Self.dropIn)
        fixture.hibernation.onCheck = { (_, _) throws(Failure) in ("/dev/sdb3", ["mem=128M"]) }
        let boot = fixture.boot
        fixture.programs.onRun = { command in
            if command == "update-grub" { try? boot.updateGRUB() }
            if command.hasPrefix("/usr/lib/torpor/update-rootfs.sh") {
                try? boot.write("/var/lib/torpor/rootfs-6.12.107.gz", "modules")
            }
        }
    }

    private static let source = "/usr/lib/torpor/systemd/system/systemd-hibernate.service.d/50-torpor.conf"
    private static let target = "/etc/systemd/system/systemd-hibernate.service.d/50-torpor.conf"
    private static let dropIn = "[Service]\nExecStart=\nExecStart=/usr/sbin/torpor sleep hibernate\n"
    private static let commands = [
        "/usr/lib/torpor/update-rootfs.sh add 6.12.107", "/usr/sbin/update-initramfs -u -k all", "update-grub",
        "systemctl daemon-reload", "systemctl enable torpor-check.service",
        "systemctl try-restart systemd-logind.service",
    ]

    private var boot: FakeBoot { fixture.boot }

    /// The files of the system, without those that were there before.
    private func newFiles(since before: [String]) -> [String] { boot.files("").filter { !before.contains($0) } }

    // MARK: Doing it

    @Test func doesEveryStepAndTellsWhatItDoes() throws {
        let result = fixture.run("setup", "/dev/sdb3")
        #expect(result.status == 0, "\(result.output)\(result.errors)")
        // After them, the check asks systemd.
        #expect(fixture.programs.commands.prefix(Self.commands.count) == Self.commands[...])
        #expect(try fixture.devices.superblock("sdb3").state == .empty)
        let lines = result.output.split(separator: "\n").map(String.init)
        for expected in [
            "1. format /dev/sdb3, which is empty", "3. build /var/lib/torpor/rootfs-6.12.107.gz",
            "4. put torpor-resume into the initramfs, with: /usr/sbin/update-initramfs -u -k all",
            "5. install a boot entry for grub",
            "6. make systemctl hibernate use Torpor, and check at each boot (torpor-check.service)",
            "   wrote \(Self.target)", "this system can hibernate to /dev/sdb3",
            "now rehearse it with: torpor hibernate --rehearse",
        ] { #expect(lines.contains(expected), "\(expected) is not in: \(result.output)") }
        #expect(boot.text(Self.target) == Self.dropIn)
        #expect(boot.text("/etc/grub.d/42_torpor") != nil)
        let configuration = try ConfigurationFile(path: boot.folder.path + "/etc/torpor.conf").read()
        #expect(configuration.settings.map { $0.key } == ["device"], "all other lines are comments")
    }

    /// A second setup has nothing to change but what may be out of date.
    @Test func canBeRunAgain() throws {
        #expect(fixture.run("setup", "/dev/sdb3").status == 0)
        let uuid = try fixture.devices.superblock("sdb3").uuid
        let files = boot.files("")
        let settings = (boot.text("/etc/torpor.conf") ?? "") + "codec = xz\n"
        try boot.write("/etc/torpor.conf", settings)
        let result = fixture.run("setup", "/dev/sdb3")
        #expect(result.status == 0 && boot.files("") == files)
        #expect(result.output.contains("1. nothing to do: /dev/sdb3 is a hibernation partition already\n"))
        #expect(try fixture.devices.superblock("sdb3").uuid == uuid)
        #expect(boot.text("/etc/torpor.conf") == settings)
    }

    @Test func showsInADryRunWhatItWouldDo() throws {
        let before = boot.files("")
        let result = fixture.run("setup", "--dry-run", "/dev/sdb3")
        #expect(result.status == 0 && result.errors.hasPrefix("torpor: warning: /dev/sdb3 has no name that lasts"))
        #expect(
            result.output.split(separator: "\n").count == 6 && result.output.hasPrefix("1. format /dev/sdb3, which"))
        #expect(boot.files("") == before && fixture.programs.commands == [])
        #expect(try fixture.devices.bytes("sdb3").allSatisfy { $0 == 0 })
    }

    /// The exit status tells scripts that something is missing.
    @Test func failsIfTheCheckFails() throws {
        fixture.hibernation.onCheck = { (_, _) throws(Failure) in
            throw Failure("use", "/dev/sdb3", "it is too small", remedy: "use a larger partition")
        }
        let result = fixture.run("setup", "/dev/sdb3")
        #expect(result.status == 1)
        #expect(result.errors.contains("torpor: use /dev/sdb3: it is too small; use a larger partition\n"))
        #expect(result.errors.hasSuffix("something is missing; mend it, and run: torpor check\n"))
    }

    @Test func rehearsesIfAPersonWantsTo() throws {
        fixture.answers = ["y"]
        fixture.hibernation.onRun = { (_, _) throws(Failure) in throw Failure("hibernate", "", "this test says so") }
        let result = fixture.run("setup", "/dev/sdb3")
        #expect(result.status != 0 && fixture.hibernation.plan != nil)
        #expect(result.errors.contains("Rehearse now?"))
    }

    // MARK: Refusals

    /// Nothing is changed for a system that cannot hibernate.
    @Test func refusesAKernelThatCannotHibernate() throws {
        fixture.hibernation.kernelFailure = Failure(
            "hibernate through", "a second kernel", "the running kernel has no CONFIG_KEXEC_JUMP",
            remedy: "boot another")
        let before = boot.files("")
        let result = fixture.run("setup", "--force", "/dev/sdb3")
        #expect(result.status == 1 && result.output.contains("[missing] running kernel: "))
        #expect(result.errors.contains("no CONFIG_KEXEC_JUMP; boot another\n"))
        #expect(boot.files("") == before && fixture.programs.commands == [])
        #expect(try fixture.devices.bytes("sdb3").allSatisfy { $0 == 0 })
    }

    /// What a later step cannot do is known before the first one changes the disk.
    @Test(arguments: [
        ("/usr/share/initramfs-tools/hooks/torpor", "Torpor's hook for initramfs-tools is not installed"),
        ("/usr/lib/torpor/update-rootfs.sh", "/usr/lib/torpor/update-rootfs.sh is missing"),
        ("/usr/lib/torpor/systemd", "Torpor's units are missing in /usr/lib/torpor/systemd"),
    ]) func changesNothingIfSomethingIsNotInstalled(path: String, reason: String) throws {
        try boot.remove(path)
        let before = boot.files("")
        let result = fixture.run("setup", "/dev/sdb3")
        #expect(result.status == 1 && result.errors.contains(reason), "\(result.errors)")
        #expect(boot.files("") == before && fixture.programs.commands == [])
        #expect(try fixture.devices.bytes("sdb3").allSatisfy { $0 == 0 })
    }

    @Test(arguments: [
        (["setup"], "Name the partition"), (["setup", "--remove", "/dev/sdb3"], "take no partition"),
        (["setup", "--remove", "--refresh"], "Use only one"), (["setup", "--dry-run", "--remove"], "Use only one"),
        (["setup", "--keep-configuration", "/dev/sdb3"], "needs --remove"),
    ]) func refusesContradictions(arguments: [String], message: String) {
        let result = fixture.run(arguments)
        #expect(result.status == 2 && result.errors.contains(message))
    }

    @Test func refusesOthersThanRoot() {
        fixture.isRoot = false
        let result = fixture.run("setup", "/dev/sdb3")
        #expect(result.status == 1)
        #expect(result.errors == "torpor: set up this system: only root may change it; run this as root\n")
    }

    // MARK: Undoing it

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
        try boot.write(Self.target, "[Service]\nmine\n")
        try boot.write("/etc/torpor.conf", (boot.text("/etc/torpor.conf") ?? "") + "codec = xz\n")
        #expect(fixture.run("setup", "--refresh").errors.contains("\(Self.target) was changed since"))
        #expect(boot.text(Self.target) == "[Service]\nmine\n")
        let result = fixture.run("setup", "--remove")
        #expect(result.status == 0 && result.errors.contains("\(Self.target) was changed since torpor setup wrote it"))
        #expect(boot.text(Self.target) == "[Service]\nmine\n")
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
        #expect(boot.text("/etc/torpor.conf") != nil && boot.text(Self.target) == nil)
        #expect(!fixture.programs.commands.contains { $0.contains("update-initramfs") })
        fixture.programs.forget()
        #expect(fixture.run("setup", "--refresh").status == 0)
        #expect(fixture.programs.commands == [], "nothing is set up any more")
    }

    @Test func refreshesAfterAnUpgrade() throws {
        #expect(fixture.run("setup", "--refresh").status == 0, "without a setup there is nothing to do")
        #expect(fixture.run("setup", "/dev/sdb3").status == 0)
        fixture.programs.forget()
        try boot.write(Self.source, Self.dropIn + "# new\n")
        try boot.write("/usr/lib/torpor/rootfs.gz", "newer")
        #expect(fixture.run("setup", "--refresh").status == 0)
        #expect(boot.text(Self.target) == Self.dropIn + "# new\n")
        #expect(fixture.programs.commands.contains("/usr/lib/torpor/update-rootfs.sh add 6.12.107"))
        #expect(fixture.programs.commands.contains("systemctl daemon-reload"))
    }

    /// A step that fails says why, and what was done before it can be undone.
    @Test func keepsTheRecordOfStepsBeforeAFailure() throws {
        fixture.programs.results["/usr/sbin/update-initramfs"] = .success(
            ProgramResult(end: .exited(1), errors: "cp: disk full\n"))
        let result = fixture.run("setup", "/dev/sdb3")
        #expect(result.status == 1)
        #expect(
            result.errors.hasSuffix(
                "torpor: run /usr/sbin/update-initramfs -u -k all: it exited with status 1: cp: disk full; run it by hand to "
                    + "see more, and then torpor setup again\n"))
        fixture.programs.results = [:]
        #expect(fixture.run("setup", "--remove").status == 0)
        #expect(boot.text("/etc/torpor.conf") == nil && boot.text("/var/lib/torpor/setup.json") == nil)
    }
}
