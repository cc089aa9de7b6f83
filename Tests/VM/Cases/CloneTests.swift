// SPDX-License-Identifier: Apache-2.0
import Machines
import MemoryImage
import Testing

extension MachineTests {
    /// The same partition twice, as a cloned disk has it: a session goes on once.
    @Suite(.serialized) struct Clones {
        @Test func anImageAndItsCopyAreResumedOnce() throws {
            let lab = try Lab("clones")
            // Another disk changes the firmware's tables, so there is one from the beginning.
            let a = try lab.savedMachine(others: [try lab.disk("blank", 512 << 20)])
            let older = try lab.copy(a.disks[0].image, "older")
            let clone = try lab.copy(a.disks[0].image, "clone")
            var c = lab.kernelC("both", like: a)
            c.disks[1].image = clone
            try lab.run(c).expectSession()
            #expect(try lab.superblock(c).state == .consumed)
            #expect(try lab.hibernationPartition(of: clone).superblock.state == .consumed)
            c.name = "again"
            try lab.run(c).expectNoSession("nothing to resume")

            // A copy from before: it is ready still, and the session has gone on.
            c.name = "older"
            c.disks[1].image = older
            try lab.run(c).expectNoSession("not resuming: resume /dev/vdb1: it is an older copy of /dev/vda1")
            #expect(try lab.hibernationPartition(of: older).superblock.state == .ready, "nothing is changed")
            c.name = "named"
            c.commandLine += " torpor.device=/dev/vdb1"
            try lab.run(c).expectNoSession("not resuming: resume /dev/vdb1: it is an older copy of /dev/vda1")
        }

        /// Of two copies with different pasts, the one that was written last tells what became of the image.
        @Test func theNewestCopyCounts() throws {
            let lab = try Lab("newest-copy")
            let a = try lab.savedMachine(others: [try lab.disk("blank", 512 << 20)])
            let newer = try lab.copy(a.disks[0].image, "newer")
            try lab.updateSuperblock(of: newer) { $0.state = .attempted }
            var c = lab.kernelC("attempted", like: a)
            c.disks[1].image = newer
            try lab.run(c).expectNoSession("not resuming: resume /dev/vdb1: its image was left by an earlier attempt")
            try lab.updateSuperblock(of: newer) { $0.state = .ready }
            c.name = "ready"
            try lab.run(c).expectSession()
            for disk in c.disks {
                #expect(try lab.hibernationPartition(of: disk.image).superblock.state == .consumed)
            }
        }

        /// What kernel A looked at is not what kernel B finds.
        @Test func aPartitionThatChangedMeanwhileIsNotWritten() throws {
            let lab = try Lab("changed-meanwhile")
            var a = try lab.kernelA(
                "a", disks: [try lab.disk("hibernation", 128 << 20), try lab.disk("clone", 128 << 20)],
                """
                expect format torpor format /dev/vda
                dd if=/dev/vda of=/dev/vdb bs=1M count=2 conv=fsync 2>/dev/null
                expect snapshot hibernate --device /dev/vdb --after return --append torpor.device=/dev/vdb
                md5sum /dev/vdb >/tmp/before
                refuses changed "write /dev/vdb: it has changed since kernel A looked at it; try again" \\
                    hibernate --device /dev/vda --append torpor.device=/dev/vdb
                echo 3 >/proc/sys/vm/drop_caches
                expect "nothing is changed" md5sum -c /tmp/before
                """)
            a.memory = "512M"
            try lab.run(a).expectDone()
        }
    }
}
