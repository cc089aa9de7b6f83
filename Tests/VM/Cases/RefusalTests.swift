import Machines
import MemoryImage
import Testing

extension MachineTests {
    /// Refusals that a second boot mends: the session is kept until a person, or a policy that they chose, gives it up.
    @Suite(.serialized) struct Refusals {
        /// A machine with a root file system whose saved session needs a disk.
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
            // The first time, a restart may mend it.
            let first = try lab.run(lab.kernelC("first", like: without, Self.root + " torpor.ask=1", refused: nil))
            first.expectConsole("reboot: Restarting system")
            #expect(try lab.superblock(a).state == .ready)
            #expect(try lab.superblock(a).refusals == 1)
            // Then somebody is asked, and nobody answers: the session is worth more than this boot.
            let second = try lab.run(lab.kernelC("second", like: without, Self.root + " torpor.ask=3", refused: nil))
            second.expectConsole("reboot: Power down")
            #expect(second.verdict.isEmpty, "the root file system was used")
            #expect(try lab.superblock(a).state == .ready)
            #expect(try lab.superblock(a).refusals == 2)
            try lab.run(lab.kernelC("right", like: a, Self.root, refused: nil)).expectSession()
        }

        /// A server without anybody comes up in the end, if it was told that it may.
        @Test func bootsTheRootFileSystemIfNobodyAnswersAndItMay() throws {
            let lab = try Lab("refusal-unattended")
            let (a, without) = try saved(lab)
            let c = try lab.run(
                lab.kernelC(
                    "c", like: without, Self.root + " torpor.ask=3 torpor.unattended=root", refused: "ask"))
            #expect(c.verdict == ["root", "done"])
            #expect(try lab.superblock(a).state == .attempted)
        }

        @Test func doesWhatThePersonAnswers() throws {
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
            c.answers = [("torpor: without an answer", "b"), ("press y to give it up", "y")]
            #expect(try lab.run(c).verdict == ["root", "done"])
            #expect(try lab.superblock(a).state == .attempted)
        }
    }
}
