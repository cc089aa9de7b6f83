// SPDX-License-Identifier: Apache-2.0
import Foundation
import Machines
import MemoryImage
import Testing

extension MachineTests {
    /// Ordinary starts: memory that the first kernel has, and memory that kernel A uses.
    @Suite(.serialized) struct OrdinaryMemoryTests {
        /// Kernel A fills more than half of 4 GiB, a part of it above the hole below 4 GiB. Every page is compared.
        @Test(.completeRunOnly) func resumesWithMoreThanHalfOfFourGibibytesInUse() throws {
            let lab = try Lab("ordinary-more-than-half")
            var a = try lab.kernelA(
                "a", disks: [try lab.partitionedDisk("hibernation", 4 << 30)], files: ["bin/pattern": Products.pattern],
                """
                pattern fill 2500 /tmp/compare >/tmp/result &
                until [ -e /tmp/compare.filled ]; do sleep 0.1; done
                used=$(free -m | awk '/^Mem:/ { print $3 }')
                [ $used -gt 2400 ] || fail "only $used MiB are in use"
                expect format torpor format /dev/vda1
                expect hibernate hibernate
                touch /tmp/compare
                wait
                expect "the data are unchanged" grep -q "pages are right" /tmp/result
                cat /tmp/result
                """)
            a.memory = "4G"
            a.timeout = 900
            try lab.run(a).expectConsole("torpor: powering off")
            let result = try lab.run(ordinary("c", like: a, lab))
            result.expectConsole("starting kernel C, which resumes the session")
            result.expectSession()
        }

        /// kexec_load(2) keeps the boot files in any memory, and the jump moves them below N.
        @Test(.completeRunOnly) func resumesWithoutFreeMemoryBelowN() throws {
            let lab = try Lab("ordinary-reserved")
            let a = try lab.savedMachine()
            // Nothing but the first MiB is left below N, which is 128 MiB.
            let result = try lab.run(
                ordinary(
                    "c", like: a, lab, "memmap=127M$1M",
                    before: """
                        expect "no memory below N" \\
                            sh -c '! grep -E "^0(0[1-9a-f]|[1-7]).*: System RAM" /proc/iomem'
                        """))
            #expect(result.verdict.contains("ok no memory below N"))
            result.expectConsole("starting kernel C, which resumes the session")
            result.expectSession()
        }

        /// The boot files do not fit into half of the memory that the first kernel has, so the machine starts as usual.
        @Test(.completeRunOnly) func startsWithTooLittleMemoryForTheBootFiles() throws {
            let lab = try Lab("ordinary-too-little")
            let root = try lab.disk("root", 16 << 20)
            try Tool.run("/sbin/mke2fs", "-q", "-F", "-t", "ext4", root.path)
            let a = try lab.savedMachine(others: [root])
            let parameters = "torpor.refused=ask torpor.ask=1"
            var c = try ordinary(
                "c", like: a, lab, "\(parameters) memmap=448M$64M",
                after: "expect \"the root file system is mounted\" mount -t ext4 -o ro /dev/vdb /mnt")
            c.timeout = 120
            let result = try lab.run(c)
            result.expectConsole("torpor: not resuming: load kernel C: its ")
            result.expectConsole(
                "are more than half of the running kernel's memory; boot without mem= and memmap=, or start"
            )
            #expect(result.verdict.contains("ok the root file system is mounted"))
            expectBoot(result)
            #expect(try lab.superblock(a).state == .ready)
            // With all of its memory, the next start resumes.
            try lab.run(ordinary("next", like: a, lab, parameters)).expectSession()
        }
    }
}
