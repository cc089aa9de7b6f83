// SPDX-License-Identifier: Apache-2.0
import Basics
import Hibernation
import Linux
import Testing

@testable import TorporCommand

@Suite struct GRUBLoaderTests {
    private let fixture: CommandFixture
    private var boot: FakeBoot { fixture.boot }
    private var loader: GRUBLoader { GRUBLoader(boot.system) }

    init() throws {
        fixture = try CommandFixture()
        try fixture.boot.addGRUB()
    }

    private func commandLine(_ additional: String = "") -> BootEntryCommandLine {
        BootEntryCommandLine(
            parametersForC: ["mem=128M"], own: KernelCommandLine(""), additional: KernelCommandLine(additional))
    }

    private func refusal(_ work: () throws -> Void) -> String? {
        #expect(throws: Failure.self) { try work() }?.description
    }

    // MARK: The entry

    @Test func writesAnEntry() throws {
        let entry = try loader.entry(commandLine("torpor.wait=5"))
        #expect(
            entry == """
                menuentry 'Torpor: resume' --id torpor --unrestricted {
                    search --no-floppy --fs-uuid --set=root 0a1b2c3d-1111-4222-8333-444455556666
                    linux /boot/torpor/vmlinuz mem=128M panic=10 quiet torpor.fallback=reboot torpor.wait=5
                    initrd /boot/torpor/rootfs.gz
                }

                """)
        boot.mounts.append("22 21 8:2 / /boot rw - ext4 /dev/sda2 rw")
        #expect(try loader.entry(commandLine()).contains("\n    linux /torpor/vmlinuz mem"))
    }

    @Test func quotesForTheScript() throws {
        #expect(GRUBLoader.quoted("a=b,c:d/e@f") == "a=b,c:d/e@f")
        #expect(GRUBLoader.quoted("a=$b;{c}") == "'a=$b;{c}'")
        #expect(try loader.entry(commandLine("\"a=b c\"")).contains(" 'a=b c'\n"))
        for parameter in ["a='b'", "a=\\b"] {
            #expect(
                refusal { _ = try loader.entry(commandLine(parameter)) }
                    == "make an entry for GRUB: GRUB would change the parameter \(parameter); leave it out")
        }
    }

    @Test func needsAUUID() {
        boot.uuids = [:]
        #expect(
            refusal { _ = try loader.entry(commandLine()) }
                == "make an entry for GRUB: the ext4 file system on / has no UUID, so GRUB cannot find it; write an "
                + "entry by hand, "
                + "with the parameters that torpor check prints")
    }

    @Test func namesTheCommandThatIsStillToRun() throws {
        #expect(loader.nextStep == "run update-grub")
        try boot.remove("/usr/sbin/update-grub")
        #expect(loader.nextStep == "run grub-mkconfig -o /boot/grub/grub.cfg")
        try boot.remove("/boot/grub")
        try boot.addGRUB("/boot/grub2")
        try boot.remove("/usr/sbin/update-grub")
        try boot.write("/usr/sbin/grub2-mkconfig", "")
        #expect(loader.nextStep == "run grub2-mkconfig -o /boot/grub2/grub.cfg")
    }

    @Test func needsTheFolderForEntries() throws {
        try loader.requireInstallable()
        try boot.remove("/etc/grub.d")
        #expect(
            refusal { try loader.requireInstallable() }
                == "install the entry for GRUB: there is no /etc/grub.d; put the entry into /boot/grub/grub.cfg by "
                + "hand; torpor "
                + "boot-entry prints it without --install")
    }

    @Test func readsTheParametersThatGRUBHas() throws {
        let entry = try loader.entry(commandLine("\"a=b c\" d"))
        try boot.write("/etc/grub.d/42_torpor", loader.content(ofEntry: entry))
        #expect(
            refusal { _ = try loader.installedParameters() }
                == "select the boot entry torpor: /boot/grub/grub.cfg does not have it; run torpor boot-entry "
                + "--install, and then "
                + "update-grub")
        try boot.updateGRUB()
        #expect(
            try loader.installedParameters() == [
                "mem=128M", "panic=10", "quiet", "torpor.fallback=reboot", "a=b c", "d",
            ])
    }

    // MARK: The selection

    @Test func selectsForTheNextStartOnly() throws {
        try boot.addGRUB(variables: "saved_entry=0\n")
        try loader.requireSelectable()
        #expect(boot.text("/boot/grub/grubenv") == FakeBoot.environment("saved_entry=0\n"), "nothing changes")
        try loader.select("torpor")
        #expect(boot.text("/boot/grub/grubenv") == FakeBoot.environment("saved_entry=0\nnext_entry=torpor\n"))
        #expect(try loader.selected() == "torpor")
        try loader.select(nil)
        #expect(try loader.selected() == nil)
        #expect(boot.text("/boot/grub/grubenv") == FakeBoot.environment("saved_entry=0\n"))
    }

    /// GRUB reads the blocks that the file has, so the file stays the same.
    @Test func writesInPlace() throws {
        try boot.remove("/boot/grub/grubenv")
        try boot.write("/efi/grubenv", FakeBoot.environment(""))
        try boot.link("/boot/grub/grubenv", "../../efi/grubenv")
        try loader.select("torpor")
        #expect(boot.text("/efi/grubenv")?.contains("next_entry=torpor") == true)
    }

    @Test(arguments: [
        "21 1 0:30 / / rw - btrfs /dev/sda2 rw", "21 1 253:0 / / rw - ext4 /dev/mapper/vg-root rw",
        "21 1 253:0 / / rw - ext4 /dev/dm-0 rw", "21 1 9:0 / / rw - ext4 /dev/md0 rw",
    ]) func refusesAnEnvironmentThatGRUBCannotClear(mount: String) throws {
        boot.mounts = [mount]
        let words = mount.split(separator: " ")
        #expect(
            refusal { try loader.requireSelectable() }
                == "select the boot entry torpor: GRUB cannot write to /boot/grub/grubenv (\(words[7]) on "
                + "\(words[8])), so it would "
                + "start the entry every time; put /boot/grub on an ext4 partition, or hibernate without --direct-start"
        )
    }

    @Test func refusesAConfigurationOrEnvironmentWithoutTheVariable() throws {
        try boot.remove("/boot/grub/grubenv")
        #expect(
            refusal { try loader.requireSelectable() }
                == "read /boot/grub/grubenv: there is no such file; make it with: grub-editenv /boot/grub/grubenv create"
        )
        try boot.write("/boot/grub/grub.cfg", "set default=0\n")
        #expect(
            refusal { try loader.requireSelectable() }
                == "select the boot entry torpor: /boot/grub/grub.cfg does not use next_entry; make it with grub-mkconfig"
        )
    }
}
