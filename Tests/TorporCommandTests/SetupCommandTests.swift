// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import TorporCommand

/// A whole setup on a system with GRUB, initramfs-tools and systemd.
@Suite struct SetupCommandTests {
    private let system: SetupSystem

    init() throws { system = try SetupSystem() }

    private var fixture: CommandFixture { system.fixture }
    private var boot: FakeBoot { fixture.boot }

    // MARK: Doing it

    @Test func doesEveryStepAndTellsWhatItDoes() throws {
        let result = fixture.run("setup", "/dev/sdb3")
        #expect(result.status == 0, "\(result.output)\(result.errors)")
        // After them, the check asks systemd.
        #expect(fixture.programs.commands.prefix(SetupSystem.commands.count) == SetupSystem.commands[...])
        #expect(try fixture.devices.superblock("sdb3").state == .empty)
        let lines = result.output.split(separator: "\n").map(String.init)
        for expected in [
            "1. format /dev/sdb3, which is empty", "3. build /var/lib/torpor/rootfs-6.12.107.gz",
            "4. put torpor-resume into the initramfs, with: /usr/sbin/update-initramfs -u -k all",
            "5. install a boot entry for grub",
            "6. make systemctl hibernate use Torpor, and check at each boot (torpor-check.service)",
            "   wrote \(SetupSystem.target)", "this system can hibernate to /dev/sdb3",
            "now rehearse it with: torpor hibernate --rehearse",
        ] { #expect(lines.contains(expected), "\(expected) is not in: \(result.output)") }
        #expect(boot.text(SetupSystem.target) == SetupSystem.dropIn)
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
}
