// SPDX-License-Identifier: Apache-2.0
import Basics
import Hibernation
import Testing

@testable import TorporCommand

@Suite struct BootEntryCommandTests {
    private let fixture: CommandFixture
    private var boot: FakeBoot { fixture.boot }

    init() throws {
        fixture = try CommandFixture()
        fixture.hibernation.onCheck = { (findings, log) throws(Failure) in
            log("waiting for the process cat (7)")
            findings.warn("the kernel has no /dev/snapshot", remedy: "use another kernel")
            findings.note("a note")
            return ("/dev/sdb3", ["torpor.device=UUID=1", "mem=128M"])
        }
    }

    private static let messages = """
        torpor: waiting for the process cat (7)
        torpor: warning: the kernel has no /dev/snapshot; use another kernel

        """
    private static let parameters =
        "console=tty0 console=ttyS0,115200n8 pci=nomsi torpor.device=UUID=1 mem=128M panic=10 quiet torpor.fallback=reboot"

    @Test func printsAnEntryForGRUB() throws {
        try boot.addGRUB()
        let result = fixture.run("boot-entry")
        #expect(result.status == 0 && result.errors == Self.messages)
        #expect(
            result.output == """
                menuentry 'Torpor: resume' --id torpor --unrestricted {
                    search --no-floppy --fs-uuid --set=root 0a1b2c3d-1111-4222-8333-444455556666
                    linux /boot/torpor/vmlinuz \(Self.parameters)
                    initrd /boot/torpor/rootfs.gz
                }

                """)
        #expect(boot.files("/etc/grub.d") == [] && boot.files("/boot").contains("torpor") == false, "nothing changes")
    }

    @Test func printsAnEntryForSystemdBoot() throws {
        try boot.addSystemdBoot()
        let result = fixture.run("boot-entry", "--append", "torpor.fallback=shell")
        #expect(
            result.output == """
                title   Torpor: resume
                linux   /torpor/vmlinuz
                initrd  /torpor/rootfs.gz
                options \(Self.parameters.replacing("torpor.fallback=reboot", with: "torpor.fallback=shell"))

                """)
        #expect(boot.files("/efi").contains("torpor") == false, "nothing changes")
    }

    @Test func installsForGRUB() throws {
        try boot.addGRUB()
        let result = fixture.run("boot-entry", "--install")
        #expect(result.status == 0 && result.errors == Self.messages)
        #expect(
            result.output == """
                wrote /etc/grub.d/42_torpor
                wrote /boot/torpor/vmlinuz
                wrote /boot/torpor/rootfs.gz
                now run update-grub

                """)
        #expect(boot.text("/boot/torpor/vmlinuz") == "kernel" && boot.text("/boot/torpor/rootfs.gz") == "rootfs")
        let entry = fixture.run("boot-entry").output
        try boot.updateGRUB()
        #expect(boot.text("/boot/grub/grub.cfg")?.hasSuffix("fi\n\(entry)") == true)
        #expect(
            fixture.run("boot-entry", "--install").output
                == "/etc/grub.d/42_torpor and its files are up to date\nnow run update-grub\n")
    }

    @Test func installsForSystemdBoot() throws {
        try boot.addSystemdBoot()
        let entry = fixture.run("boot-entry").output
        let result = fixture.run("boot-entry", "--install")
        #expect(result.status == 0)
        #expect(
            result.output == """
                wrote /efi/loader/entries/torpor.conf
                wrote /efi/torpor/vmlinuz
                wrote /efi/torpor/rootfs.gz

                """)
        #expect(boot.text("/efi/loader/entries/torpor.conf") == "# Written by torpor boot-entry\n\(entry)")
    }

    @Test func plansWithItsOptions() throws {
        try boot.addGRUB()
        try boot.addSystemdBoot()
        _ = fixture.run("boot-entry")
        var plan = try #require(fixture.hibernation.plan)
        #expect(plan.kernelPath == "/boot/vmlinuz-6.12.107" && plan.initrdPath == "/usr/lib/torpor/rootfs.gz")
        let options = [
            "--boot-loader=grub", "--device=LABEL=nap", "--kernel=/boot/b", "--initrd=/boot/i", "--backup-end=256M",
            "--allow-unwatched", "--allow-old-kernel", "--append=quiet a",
        ]
        let output = fixture.run(["boot-entry"] + options).output
        plan = try #require(fixture.hibernation.plan)
        #expect(plan.device == .label("nap") && plan.kernelPath == "/boot/b" && plan.initrdPath == "/boot/i")
        #expect(plan.backupEnd == 256 << 20 && plan.isUnwatchedAllowed && plan.isOldKernelAllowed)
        #expect(plan.extraWords == "", "--append is for kernel C")
        #expect(output.hasPrefix("menuentry ") && output.contains(" torpor.fallback=reboot quiet a\n"))
    }

    @Test func printsJSON() throws {
        try boot.addGRUB()
        let printed = fixture.run("boot-entry", "--json")
        #expect(printed.status == 0 && printed.errors == "")
        let keys: Set = [
            "bootLoader", "entry", "entryFile", "kernelFile", "initrdFile", "kernelCParameters", "warnings", "version",
        ]
        #expect(Set(try printed.json.keys) == keys)
        #expect(
            try printed.json["kernelCParameters"] as? [String] == Self.parameters.split(separator: " ").map(String.init)
        )
        let installed = try fixture.run("boot-entry", "--json", "--install").json
        #expect(Set(installed.keys) == keys.union(["writtenFiles", "nextStep"]))
        #expect(
            installed["writtenFiles"] as? [String] == [
                "/etc/grub.d/42_torpor", "/boot/torpor/vmlinuz", "/boot/torpor/rootfs.gz",
            ])
        #expect(installed["nextStep"] as? String == "run update-grub" && installed["bootLoader"] as? String == "grub")
    }

    // MARK: Refusals

    /// Each refusal is one sentence, and nothing changes.
    private func expectRefusal(_ message: String, _ arguments: String...) throws {
        let before = boot.files("/")
        for json in [[], ["--json"]] {
            let result = fixture.run(["boot-entry"] + arguments + json)
            #expect(result.status == 1)
            #expect(result.errors.hasSuffix("torpor: \(message)\n"), "\(result.errors)")
            if !json.isEmpty { #expect(try result.json["reason"] as? String == message) }
        }
        #expect(boot.files("/") == before)
    }

    @Test func saysIfThereIsNoBootLoader() throws {
        try expectRefusal(
            "find the boot loader: this machine was started with neither GRUB nor systemd-boot; name it with --boot-loader"
        )
        try expectRefusal(
            "find systemd-boot's partition: no FAT file system with loader/entries is mounted on /boot, /efi or "
                + "/boot/efi; mount the "
                + "EFI system partition on /efi", "--boot-loader=systemd-boot")
        try expectRefusal(
            "install the entry for GRUB: there is no /etc/grub.d; put the entry into /boot/grub/grub.cfg by hand; "
                + "torpor boot-entry "
                + "prints it without --install", "--boot-loader=grub", "--install")
    }

    @Test func saysWhyTheSystemCannotHibernate() throws {
        try boot.addGRUB()
        fixture.hibernation.onCheck = { (_, _) throws(Failure) in
            throw Failure("hibernate", "", "the kernel is locked down", remedy: "boot without lockdown=")
        }
        try expectRefusal("hibernate: the kernel is locked down; boot without lockdown=", "--install")
    }

    @Test func neverOverwritesAnEntryOfOthers() throws {
        try boot.addSystemdBoot()
        try boot.write("/efi/loader/entries/torpor.conf", "title mine\n")
        try expectRefusal(
            "write /efi/loader/entries/torpor.conf: it exists, and torpor boot-entry did not write it; remove it, or "
                + "give it another "
                + "name", "--install")
    }

    @Test func refusesACommandLineThatTheKernelWouldCutOff() throws {
        try boot.addGRUB()
        let long = String(repeating: "x", count: 2000)
        try expectRefusal(
            "make the boot entry: its command line has \(Self.parameters.utf8.count + 2001) bytes, and the kernel "
                + "reads 1900; remove "
                + "parameters from --append, or from the kernel's own command line", "--append=\(long)")
    }

    @Test(arguments: ["--boot-loader=lilo", "--append=a\nb", "--backup-end=much"])
    func refusesWrongArguments(argument: String) throws {
        try boot.addGRUB()
        #expect(fixture.run("boot-entry", argument).status == 2)
    }
}
