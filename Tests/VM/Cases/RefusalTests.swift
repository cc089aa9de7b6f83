// SPDX-License-Identifier: Apache-2.0
import Foundation
import Linux
import Machines
import MemoryImage
import Testing

extension MachineTests {
    /// Refusals for reasons that can pass: kernel C keeps the session until a person, or a policy of that person, gives it up.
    @Suite(.serialized) struct RefusalTests {
        /// Runs a machine with a root file system until its session, which needs another disk, is saved.
        private func saved(_ lab: Lab) throws -> (a: Machine, without: Machine) {
            let root = try lab.disk("root", 64 << 20), stick = try lab.disk("stick", 16 << 20)
            try Guest.makeRootFileSystem(on: root, "say root")
            try Tool.run("/sbin/mke2fs", "-q", "-F", "-t", "ext4", stick.path)
            var a = try lab.sessionMachine(
                disk: try lab.formattedDisk(), before: "expect mount mount -t ext4 /dev/vdc /mnt",
                others: [root, stick])
            a.commandLine = ""
            try lab.run(a).expectConsole("torpor: powering off")
            var without = a
            without.disks[2].image = try lab.disk("another", 16 << 20)
            return (a, without)
        }

        private static let root = "root=/dev/vdb torpor.wait=1"

        @Test func keepsTheSessionUntilTheDiskIsBack() throws {
            let lab = try Lab("refusal-kept")
            let (a, without) = try saved(lab)
            // After the first refusal, a restart may help.
            let first = try lab.run(lab.kernelC("first", like: without, Self.root + " torpor.ask=1", refused: nil))
            first.expectConsole("reboot: Restarting system")
            #expect(try lab.superblock(a).state == .ready)
            #expect(try lab.superblock(a).refusals == 1)
            // Then kernel C asks, and nobody answers: it powers off and keeps the session.
            let second = try lab.run(lab.kernelC("second", like: without, Self.root + " torpor.ask=3", refused: nil))
            second.expectConsole("reboot: Power down")
            #expect(second.verdict.isEmpty, "kernel C booted the root file system")
            #expect(try lab.superblock(a).state == .ready)
            #expect(try lab.superblock(a).refusals == 2)
            try lab.run(lab.kernelC("right", like: a, Self.root, refused: nil)).expectSession()
        }

        /// A server without an operator comes up in the end if `torpor.unattended=root` allows it.
        @Test(.completeRunOnly) func bootsTheRootFileSystemIfUnattended() throws {
            let lab = try Lab("refusal-unattended")
            let (a, without) = try saved(lab)
            let c = try lab.run(
                lab.kernelC(
                    "c", like: without, Self.root + " torpor.ask=3 torpor.unattended=root", refused: "ask"))
            #expect(c.verdict == ["root", "done"])
            #expect(try lab.superblock(a).state == .attempted)
        }

        /// `attempted` stays on disk, because nothing could write the end of the attempt. The attempt may have stopped the
        /// machine, so kernel C repeats it only if a person asks for it.
        @Test(.completeRunOnly) func keepsTheSessionIfThePowerFailsDuringTheRestore() throws {
            let lab = try Lab("refusal-power")
            let (a, _) = try saved(lab)
            try lab.updateSuperblock(of: a.disks[0].image) { $0.state = .attempted }
            let alone = try lab.run(lab.kernelC("alone", like: a, Self.root + " torpor.ask=3", refused: nil))
            alone.expectConsole("an earlier resume of its image did not complete")
            alone.expectConsole("reboot: Power down")
            #expect(alone.verdict.isEmpty, "kernel C booted the root file system")
            #expect(try lab.superblock(a).state == .attempted)
            var c = lab.kernelC("asked", like: a, Self.root, refused: nil)
            c.answers = [("torpor: without an answer", "r")]
            try lab.run(c).expectConsole("reboot: Restarting system")
            #expect(try lab.superblock(a).state == .ready)
            try lab.run(lab.kernelC("again", like: a, Self.root, refused: nil)).expectSession()
        }

        /// Before kernel C gives a session up for the root file system, it checks that it can mount it.
        @Test(.completeRunOnly) func keepsTheSessionIfTheRootCannotBeMounted() throws {
            let lab = try Lab("refusal-root")
            let (a, without) = try saved(lab)
            // A header of LUKS version 1 (LUKS On-Disk Format Specification 1.2.3, section 2): magic, version, UUID.
            var header = Data("LUKS".utf8) + Data([0xba, 0xbe, 0, 1]) + Data(count: 592 - 8)
            header.replaceSubrange(168..<204, with: Data("aaaaaaaa-89ab-4cde-8f01-23456789abcd".utf8))
            var c = without
            c.disks[1].image = try lab.disk("luks", 16 << 20)
            let file = try FileHandle(forUpdating: URL(filePath: c.disks[1].image.path))
            try file.write(contentsOf: header)
            try file.close()
            c = lab.kernelC("c", like: c, Self.root, refused: "root")
            let result = try lab.run(c)
            result.expectConsole("cannot boot the root file system")
            result.expectConsole("crypto_LUKS")
            #expect(try lab.superblock(a).state == .ready)
        }

        @Test func followsTheAnswer() throws {
            let lab = try Lab("refusal-asked")
            let (a, without) = try saved(lab)
            var c = lab.kernelC("power-off", like: without, Self.root, refused: "ask")
            c.answers = [("torpor: without an answer", "p")]
            try lab.run(c).expectConsole("reboot: Power down")
            #expect(try lab.superblock(a).state == .ready)
            c = lab.kernelC("restart", like: without, Self.root, refused: "ask")
            c.answers = [("torpor: without an answer", "r")]
            try lab.run(c).expectConsole("reboot: Restarting system")
            #expect(try lab.superblock(a).state == .ready)
            c = lab.kernelC("boot", like: without, Self.root, refused: "ask")
            c.answers = [("torpor: without an answer", "b"), ("press y to drop it", "y")]
            #expect(try lab.run(c).verdict == ["root", "done"])
            #expect(try lab.superblock(a).state == .attempted)
        }
    }
}
