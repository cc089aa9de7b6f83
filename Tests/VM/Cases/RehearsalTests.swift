// SPDX-License-Identifier: Apache-2.0
import Foundation
import Machines
import MemoryImage
import Testing

extension MachineTests {
    /// `torpor hibernate --rehearse` goes into kernel B and back, and leaves the partition as it was.
    @Suite(.serialized) struct RehearsalTests {
        private static let session = """
            start_session
            rehearse() { hibernate --rehearse "$@" >/tmp/out 2>&1; status=$?; cat /tmp/out; return $status; }

            """

        private func bytes(_ lab: Lab, _ image: URL) throws -> Data { try Data(contentsOf: lab.partition(of: image)) }

        /// The measurement of the disk is erased, and kernel B writes nothing. The next hibernation is a real one.
        @Test func rehearsesAndThenHibernates() throws {
            let lab = try Lab("rehearsal")
            let disk = try lab.formattedDisk()
            let before = try bytes(lab, disk)
            var a = try lab.kernelA(
                "a", disks: [disk, try lab.disk("other", 16 << 20)],
                Self.session + """
                    expect rehearse rehearse
                    expect "the report" grep -q "^rehearsed: kernel B started, found its disk, and would save " /tmp/out
                    expect_session /dev/vdb
                    torpor status >/tmp/status
                    expect "torpor status shows it" grep -q "last hibernation: rehearsed: " /tmp/status
                    expect "the kernel log has it" sh -c 'dmesg | grep -q "torpor: rehearsed: "'
                    torpor check $torpor_b --estimate --json >/tmp/check
                    expect "the estimate knows the start of kernel B" grep -q overheadMilliseconds /tmp/check
                    expect "nothing is loaded" grep -q 0 /sys/kernel/kexec_loaded
                    """)
            a.memory = "512M"
            let result = try lab.run(a)
            result.expectDone()
            result.expectConsole("rehearsing without a write: saving ")
            let after = try bytes(lab, disk)
            let start = Int(Superblock.dataOffset)
            #expect(before[start...] == after[start...], "something is left behind the superblocks")
            let superblock = try lab.superblock(a)
            #expect(superblock.state == .empty && superblock.isUnused)

            let b = try lab.sessionMachine("b", disk: disk)
            try lab.run(b).expectConsole("torpor: powering off")
            #expect(try lab.superblock(b).state == .ready)
            try lab.run(lab.kernelC("c", like: b)).expectSession()
        }

        /// If the disk cannot be measured because contents of an image are left, a rehearsal does not write a single byte.
        @Test(.completeRunOnly) func writesNothingToAPartitionWithContents() throws {
            let lab = try Lab("rehearsal-contents")
            let disk = try lab.formattedDisk()
            let partition = try lab.partition(of: disk)
            try HibernationPartition(partition.path, .write).giveUpIncompleteImage("a test", contentsEnd: 64 << 20)
            try lab.putBack(partition, Superblock.dataOffset, onto: disk)
            let before = try bytes(lab, disk)
            var a = try lab.kernelA(
                "a", disks: [disk],
                Self.session + """
                    expect rehearse rehearse
                    expect "the times lack the disk" grep -q "both without the time of the disk" /tmp/out
                    expect "it says why" grep -q "the speed of the disk is unknown" /tmp/out
                    refuses estimate "it holds an image or contents of one" torpor check --estimate $torpor_b
                    """)
            a.memory = "512M"
            try lab.run(a).expectDone()
            #expect(try bytes(lab, disk) == before)
        }

        /// What would go wrong in a hibernation goes wrong in the rehearsal, and costs nothing.
        @Test(.completeRunOnly) func reportsWhatGoesWrong() throws {
            let lab = try Lab("rehearsal-faults")
            let disk = try lab.formattedDisk()
            let before = try bytes(lab, disk)
            var script = Self.session
            let faults = [
                ("session:kill", "was killed by signal 9"),
                ("partition:error", "run the step partition: torpor.fault="),
                ("begin:trap", "was killed by signal 4"), ("pages:error", "run the step pages: torpor.fault="),
                ("finish:kill", "was killed by signal 9"), ("end:error", "run the step end: torpor.fault="),
                ("report:kill", "neither kernel B nor kernel C left a report"),
            ]
            for (fault, reason) in faults {
                script += "refuses \(fault) '\(reason)' rehearse --append torpor.fault=\(fault)\n"
            }
            script += "expect 'the data are unchanged' md5sum -c /tmp/sum\n"
            var a = try lab.kernelA("a", disks: [disk], script)
            a.memory = "512M"
            a.timeout = 600
            try lab.run(a).expectDone()
            let after = try bytes(lab, disk)
            let start = Int(Superblock.dataOffset)
            #expect(before[start...] == after[start...])
            #expect(try lab.superblock(a).isUnused)
        }

        /// 64 MiB of random data do not fit on a partition of 64 MiB: the estimate and the rehearsal say so.
        @Test(.completeRunOnly) func refusesAPartitionThatIsTooSmall() throws {
            let lab = try Lab("rehearsal-small")
            var a = try lab.kernelA(
                "a", disks: [try lab.formattedDisk(byteCount: 64 << 20)],
                Self.session + """
                    refuses "too small" "the image does not fit into its " rehearse
                    torpor check --estimate $torpor_b >/tmp/check
                    expect "the estimate says so" grep "warning: the image would take" /tmp/check
                    expect "the data are unchanged" md5sum -c /tmp/sum
                    """)
            a.memory = "512M"
            try lab.run(a).expectDone()
            #expect(try lab.superblock(a).isUnused)
        }
    }
}
