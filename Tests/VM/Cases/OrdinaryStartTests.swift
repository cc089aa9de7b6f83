// SPDX-License-Identifier: Apache-2.0
import Foundation
import Machines
import MemoryImage
import Testing

extension MachineTests {
    /// Ordinary starts: a kernel with all memory and KASLR, whose initramfs runs torpor-resume before it mounts anything.
    @Suite(.serialized) struct OrdinaryStartTests {
        @Test func resumesThroughTheKernelOfThePartition() throws {
            let lab = try Lab("ordinary")
            let a = try lab.savedMachine()
            let result = try lab.run(ordinary("c", like: a, lab))
            result.expectConsole("continuing the session of")
            result.expectConsole("starting kernel C, which resumes the session")
            result.expectSession()
            #expect(!result.verdict.contains("boots on"))
            #expect(try lab.superblock(a).state == .consumed)
            // The next ordinary start finds nothing.
            let next = try lab.run(ordinary("next", like: a, lab))
            expectBoot(next)
            #expect(!next.console.contains("torpor: "), "torpor-resume is not silent")
        }

        /// More memory than 4 GiB, with the image in most of it, and firmware with holes below N.
        @Test(.completeRunOnly, arguments: ["bios", "uefi"]) func resumesALargeMachine(firmware: String) throws {
            let lab = try Lab("ordinary-large-\(firmware)")
            var a = try lab.sessionMachine(mebibytes: 64)
            a.memory = "5G"
            a.isMemorySparse = true
            a.cpus = 4
            if firmware == "uefi" { a.firmware = .uefi } else { a.cpuFeatures = "la57=off" }
            try lab.run(a).expectConsole("torpor: powering off")
            try lab.run(ordinary("c", like: a, lab)).expectSession()
        }

        /// What can keep an ordinary start from a resume, and what becomes of the machine and of the session.
        @Test(.completeRunOnly) func startsWithoutASession() throws {
            let lab = try Lab("ordinary-without")
            let a = try lab.savedMachine()
            let image = a.disks[0].image

            let no = try lab.run(ordinary("noresume", like: a, lab, "noresume"))
            expectBoot(no)
            #expect(!no.console.contains("torpor: "))
            #expect(try lab.superblock(a).state == .ready)

            // A device that never appears.
            let missing = try lab.run(
                ordinary("missing", like: a, lab, options: "--device PARTUUID=00000000-01 --wait 1"))
            expectBoot(missing)
            missing.expectConsole("not resuming: find PARTUUID=00000000-01")

            // Another machine: it restarts once, then it starts, and the session stays.
            var other = try ordinary("other", like: a, lab, "torpor.ask=1")
            other.memory = "768M"
            let restarted = try lab.run(other)
            restarted.expectConsole("the machine's memory map has changed")
            restarted.expectConsole("restarting to try again; the session is kept")
            other.name = "other-again"
            let started = try lab.run(other)
            started.expectConsole("the ordinary start goes on; the session is kept")
            expectBoot(started)
            #expect(try lab.superblock(a).state == .ready)

            // Damaged boot files, and a policy that drops the session.
            let damaged = try lab.copy(image, "damaged")
            let file = try FileHandle(forUpdating: damaged)
            let place = try PartitionedDisk.firstPartition(of: damaged).lowerBound
            try file.seek(toOffset: place + Superblock.dataOffset + 8192)
            try file.write(contentsOf: Data([0xff, 0xfe, 0xfd]))
            try file.close()
            var c = try ordinary("damaged", like: a, lab, "torpor.refused=root")
            c.disks[0].image = damaged
            let refused = try lab.run(c)
            refused.expectConsole("the kernel is damaged; start kernel C directly")
            expectBoot(refused)
            #expect(try lab.superblock(c).state == .attempted && lab.superblock(c).isGivenUp)

            // Nothing of this has hurt the session.
            try lab.run(ordinary("c", like: a, lab)).expectSession()
        }

        /// Each step of torpor-resume fails, traps, is killed or hangs: the machine starts, and the session stays.
        @Test(.completeRunOnly) func startsWhateverFails() throws {
            let lab = try Lab("ordinary-steps")
            let a = try lab.savedMachine()
            let kinds = ["error", "trap", "kill", "hang"]
            for (number, step) in ["partition", "image", "machine", "boot-files", "load", "start"].enumerated() {
                for kind in isTorture ? kinds : [kinds[number % 4]] {
                    let result = try lab.run(
                        ordinary(
                            "\(step)-\(kind)", like: a, lab,
                            "torpor.refused=ask torpor.ask=1 torpor.patience=1 torpor.fault=\(step):\(kind)"))
                    result.expectConsole("torpor: not resuming: ")
                    expectBoot(result)
                    #expect(try lab.superblock(a).state == .ready, "\(step):\(kind)")
                }
            }
            try lab.run(ordinary("c", like: a, lab)).expectSession()
        }

        /// Kernel C refuses twice, nobody answers, and the machine starts without the session, which is kept.
        @Test(.completeRunOnly) func comesUpIfKernelCRefuses() throws {
            let lab = try Lab("ordinary-refused")
            let a = try lab.savedMachine()
            let parameters = "torpor.ask=1 torpor.fault=fingerprints:error"
            let first = try lab.run(ordinary("first", like: a, lab, parameters))
            first.expectConsole("restarting to try again; the session is kept")
            let second = try lab.run(ordinary("second", like: a, lab, parameters))
            second.expectConsole("the ordinary start goes on; the session is kept")
            let third = try lab.run(ordinary("third", like: a, lab, parameters))
            third.expectConsole("not resuming in this start")
            expectBoot(third)
            #expect(try lab.superblock(a).state == .ready)
            try lab.run(ordinary("c", like: a, lab)).expectSession()
        }

        /// A damaged image never runs, and the start after the refusal is an ordinary one.
        @Test(.completeRunOnly) func comesUpAfterAFinalRefusal() throws {
            let lab = try Lab("ordinary-final")
            let a = try lab.savedMachine()
            let extent = try lab.superblock(a).counts.storedBytes
            let file = try FileHandle(forUpdating: a.disks[0].image)
            let place = try PartitionedDisk.firstPartition(of: a.disks[0].image).lowerBound
            // The middle of the chunks.
            try file.seek(toOffset: place + (Superblock.dataOffset + 64 << 20 + extent) / 2)
            try file.write(contentsOf: Data(repeating: 0xa5, count: 4096))
            try file.close()
            let refused = try lab.run(ordinary("refused", like: a, lab))
            refused.expectConsole("torpor: not resuming: ")
            refused.expectConsole("restarting for an ordinary start")
            #expect(!refused.console.contains("jumping into kernel A"))
            let next = try lab.run(ordinary("next", like: a, lab))
            expectBoot(next)
            next.expectConsole("to drop it: torpor discard")
        }

        /// The power fails in kernel C before it opens the partition. The next start does not try the same blindly.
        @Test(.completeRunOnly) func doesNotRepeatAStartThatCameToNothing() throws {
            let lab = try Lab("ordinary-cut")
            let a = try lab.savedMachine()
            try lab.updateSuperblock(of: a.disks[0].image) { $0.unansweredStarts = 1 }
            let first = try lab.run(ordinary("first", like: a, lab, "torpor.ask=1"))
            first.expectConsole("came to an end before it opened the partition")
            first.expectConsole("restarting to try again; the session is kept")
            try lab.run(ordinary("second", like: a, lab, "torpor.ask=1")).expectSession()
        }
    }
}
