// SPDX-License-Identifier: Apache-2.0
import Machines
import MemoryImage
import Testing

extension MachineTests {
    /// Copies of a partition, as on a cloned disk: a session resumes once.
    @Suite(.serialized) struct CloneTests {
        @Test func resumesAnImageAndItsCopyOnce() throws {
            let lab = try Lab("clones")
            // A new disk would change the firmware's tables, so there are two from the beginning.
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

            // An older copy is still ready, but the session has continued.
            c.name = "older"
            c.disks[1].image = older
            try lab.run(c).expectNoSession("not resuming: resume /dev/vdb1: it is an older copy of /dev/vda1")
            #expect(try lab.hibernationPartition(of: older).superblock.state == .ready, "the older copy has changed")
            c.name = "named"
            c.commandLine += " torpor.device=/dev/vdb1"
            try lab.run(c).expectNoSession("not resuming: resume /dev/vdb1: it is an older copy of /dev/vda1")
        }

        /// If two copies have different histories, the state of the newer one counts.
        @Test(.completeRunOnly) func takesTheStateOfTheNewestCopy() throws {
            let lab = try Lab("newest-copy")
            let a = try lab.savedMachine(others: [try lab.disk("blank", 512 << 20)])
            let newer = try lab.copy(a.disks[0].image, "newer")
            try lab.updateSuperblock(of: newer) { $0.state = .attempted }
            var c = lab.kernelC("attempted", like: a)
            c.disks[1].image = newer
            try lab.run(c).expectNoSession(
                "not resuming: resume /dev/vdb1: an earlier resume of its image did not complete")
            try lab.updateSuperblock(of: newer) { $0.state = .ready }
            c.name = "ready"
            try lab.run(c).expectSession()
            for disk in c.disks {
                #expect(try lab.hibernationPartition(of: disk.image).superblock.state == .consumed)
            }
        }

        /// Kernel B finds a partition in another state than kernel A did.
        @Test(.completeRunOnly) func doesNotWriteAPartitionThatHasChanged() throws {
            let lab = try Lab("changed-meanwhile")
            var a = try lab.kernelA(
                "a", disks: [try lab.disk("hibernation", 128 << 20), try lab.disk("clone", 128 << 20)],
                """
                expect format torpor format /dev/vda
                dd if=/dev/vda of=/dev/vdb bs=1M count=2 conv=fsync 2>/dev/null
                expect snapshot hibernate --device /dev/vdb --after return --append torpor.device=/dev/vdb
                md5sum /dev/vdb >/tmp/before
                refuses changed "write /dev/vdb: its superblock has changed since kernel A checked it; hibernate again" \\
                    hibernate --device /dev/vda --append torpor.device=/dev/vdb
                echo 3 >/proc/sys/vm/drop_caches
                expect "nothing is changed" md5sum -c /tmp/before
                """)
            a.memory = "512M"
            try lab.run(a).expectDone()
        }
    }
}
