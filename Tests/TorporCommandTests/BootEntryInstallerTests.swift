// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import TorporCommand

@Suite struct BootEntryInstallerTests {
    private let fixture: CommandFixture
    private var boot: FakeBoot { fixture.boot }
    private let files = BootEntryFiles(
        kernel: "/boot/torpor/vmlinuz", initrd: "/boot/torpor/rootfs.gz", entry: "/etc/grub.d/42_torpor",
        isEntryProgram: true)
    private let entry = "#!/bin/sh\n\(bootEntryMarker)\n"

    init() throws {
        fixture = try CommandFixture()
        try fixture.boot.addGRUB()
    }

    private func install(_ entry: String) throws -> [String] {
        try BootEntryInstaller(system: boot.system, files: files)
            .install(kernel: "/boot/vmlinuz-6.12.107", initrd: "/usr/lib/torpor/rootfs.gz", entry: entry)
    }

    private func refusal() -> String? {
        let before = boot.files("/")
        let failure = #expect(throws: Failure.self) { try install(entry) }
        #expect(boot.files("/") == before, "nothing is left behind")
        return failure?.description.replacing(boot.folder.path, with: "")
    }

    @Test func installsAndKeepsUpToDate() throws {
        #expect(try install(entry) == [files.entry, files.kernel, files.initrd])
        #expect(
            boot.text(files.kernel) == "kernel" && boot.text(files.initrd) == "rootfs"
                && boot.text(files.entry) == entry)
        #expect(try boot.mode(files.entry) == 0o755)
        #expect(try install(entry) == [])
        try boot.write("/usr/lib/torpor/rootfs.gz", "newer")
        #expect(try install(entry + "more") == [files.entry, files.initrd])
        #expect(boot.text(files.initrd) == "newer")
        #expect(boot.files("/boot/torpor") == ["rootfs.gz", "vmlinuz"])
    }

    @Test(arguments: ["/etc/grub.d/42_torpor", "/boot/torpor/vmlinuz", "/boot/torpor/rootfs.gz"])
    func neverOverwritesFilesOfOthers(path: String) throws {
        try boot.write(path, "# mine: Written by torpor boot-entry\n")
        #expect(
            refusal()
                == "write \(path): it exists, and torpor boot-entry did not write it; remove it, or give it another name"
        )
        #expect(boot.text(path) == "# mine: Written by torpor boot-entry\n")
    }

    @Test func leavesNothingIfThereIsNoSpace() throws {
        // The last file does not fit.
        try boot.link("/boot/torpor/.rootfs.gz.new", "/dev/full")
        let failure = #expect(throws: Failure.self) { try install(entry) }
        #expect(
            failure?.description.contains("/boot/torpor/rootfs.gz: its file system has no space for 6 B") == true)
        #expect(boot.files("/boot/torpor") == [] && boot.files("/etc/grub.d") == [])
    }

    @Test func leavesNothingIfTheKernelIsMissing() throws {
        try boot.remove("/usr/lib/torpor/rootfs.gz")
        #expect(refusal() == "open /usr/lib/torpor/rootfs.gz: No such file or directory")
    }
}
