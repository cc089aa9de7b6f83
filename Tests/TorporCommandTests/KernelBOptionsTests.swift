// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import Hibernation
import MemoryImage
import Testing

@testable import TorporCommand

/// The plan that each option makes.
@Suite struct KernelBOptionsTests {
    private let fixture: CommandFixture

    init() throws { fixture = try CommandFixture() }

    private func plan(_ arguments: [String]) throws -> Hibernate {
        _ = fixture.run(arguments)
        return try #require(fixture.hibernation.plan)
    }

    @Test(arguments: ["check", "hibernate"]) func plansWithTheDefaults(command: String) throws {
        let plan = try plan([command])
        #expect(plan.device == nil && plan.kernelPath == "/boot/vmlinuz-6.12.107")
        #expect(plan.initrdPath == "/usr/lib/torpor/rootfs.gz" && plan.codec == .lz4 && plan.backupEnd == nil)
        #expect(plan.extraWords == "" && plan.after == .powerOff)
        #expect(!plan.isUnwatchedAllowed && !plan.isOldKernelAllowed)
    }

    /// Torpor's kernel goes before the running one, and needs no modules.
    @Test(
        arguments: [
            ([], [], "/boot/vmlinuz-6.12.107", "/usr/lib/torpor/rootfs.gz"),
            (
                ["/var/lib/torpor/rootfs-6.12.107.gz"], [], "/boot/vmlinuz-6.12.107",
                "/var/lib/torpor/rootfs-6.12.107.gz"
            ),
            (["/usr/lib/torpor/vmlinuz"], [], "/usr/lib/torpor/vmlinuz", "/usr/lib/torpor/rootfs.gz"),
            (
                ["/usr/lib/torpor/vmlinuz", "/var/lib/torpor/rootfs-6.12.107.gz"], [], "/usr/lib/torpor/vmlinuz",
                "/usr/lib/torpor/rootfs.gz"
            ),
            (
                ["/usr/lib/torpor/vmlinuz", "/var/lib/torpor/rootfs-6.12.107.gz"], ["--kernel", "/boot/k"], "/boot/k",
                "/var/lib/torpor/rootfs-6.12.107.gz"
            ),
            (["/var/lib/torpor/rootfs-6.12.107.gz"], ["--initrd", "/i"], "/boot/vmlinuz-6.12.107", "/i"),
        ] as [(Set<String>, [String], String, String)])
    func choosesKernelAndInitrd(files: Set<String>, options: [String], kernel: String, initrd: String) throws {
        fixture.files = files
        let plan = try plan(["check"] + options)
        #expect(plan.kernelPath == kernel && plan.initrdPath == initrd)
    }

    @Test(arguments: ["check", "hibernate"]) func plansWithEachOption(command: String) throws {
        let all = [
            "--device", "LABEL=nap", "--kernel", "/boot/b", "--initrd", "/boot/i", "--codec", "zstd:3", "--backup-end",
            "256M", "--append", "quiet torpor.debug", "--allow-unwatched", "--allow-old-kernel",
        ]
        let plan = try plan([command] + all)
        #expect(plan.device == .label("nap") && plan.kernelPath == "/boot/b" && plan.initrdPath == "/boot/i")
        #expect(plan.codec == .zstd(level: 3) && plan.backupEnd == 256 << 20 && plan.extraWords == "quiet torpor.debug")
        #expect(plan.isUnwatchedAllowed && plan.isOldKernelAllowed)
        #expect(try self.plan([command, "--backup-end", "auto"]).backupEnd == nil)
    }

    @Test(arguments: [
        ("none", Codec.none), ("lz4", .lz4), ("zstd", .zstd(level: 1)), ("zstd:-5", .zstd(level: -5)),
        ("xz", .xz(level: 0)), ("xz:9", .xz(level: 9)),
    ]) func takesEachCodec(text: String, codec: Codec) throws {
        #expect(try plan(["hibernate", "--codec=\(text)"]).codec == codec)
    }

    @Test(arguments: [("poweroff", AfterSave.powerOff), ("reboot", .reboot), ("return", .return)])
    func takesEachWayToGoOn(text: String, after: AfterSave) throws {
        #expect(try plan(["hibernate", "--after", text]).after == after)
    }
}
