// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import Machines
import MemoryImage
import Testing

extension MachineTests {
    /// Whole cycles: the session is the same before and afterwards.
    @Suite(.serialized) struct CycleTests {
        @Test func returnsAtOnceAfterASnapshot() throws {
            let lab = try Lab("return")
            let image = try lab.partitionedDisk()
            let a = try lab.kernelA(
                "a", disks: [image, try lab.disk("other", 16 << 20)],
                """
                start_session
                expect format torpor format /dev/vda1
                expect hibernate hibernate --after return
                expect_session /dev/vdb
                expect verify torpor verify
                torpor status --json >/tmp/status
                expect state grep -q '"state" : "snapshot"' /tmp/status
                # The kernel was unloaded, so a second snapshot works and replaces the first.
                expect again hibernate --after return --codec none
                expect_session /dev/vdb
                """)
            let result = try lab.run(a)
            result.expectDone()
            // The session of a snapshot continued, so it is never resumed.
            let c = try lab.run(lab.kernelC("c", like: a))
            c.expectConsole("nothing to resume: /dev/vda1 holds a snapshot")
            c.expectConsole("torpor: powering off")
        }

        /// Saves, powers off and resumes; then boots kernel C once more, which has nothing to resume.
        /// - Returns: the description in the image.
        private func expectCycle(
            _ name: String, _ table: PartitionedDisk.Table = .gpt, _ change: (inout Machine) -> Void
        ) throws -> ImageDescription {
            let lab = try Lab(name)
            let disks = [try lab.partitionedDisk("hibernation", 1 << 30, table), try lab.disk("other", 16 << 20)]
            var a = try lab.kernelA(
                "a", disks: disks,
                """
                start_session
                expect format torpor format /dev/vda1
                expect hibernate hibernate
                say woke
                expect_session /dev/vdb
                torpor status --json >/tmp/status
                expect state grep -q '"state" : "consumed"' /tmp/status
                """)
            change(&a)
            let saved = try lab.run(a)
            #expect(!saved.verdict.contains("woke"), "the machine did not power off")
            saved.expectConsole("torpor: powering off")
            // Nothing of the image is left after the resume.
            let description = try ImageReader(lab.hibernationPartition(of: disks[0])).description
            let resumed = try lab.run(lab.kernelC("c", like: a))
            resumed.expectDone()
            #expect(throws: Failure.self) { try ImageReader(lab.hibernationPartition(of: disks[0])) }
            let again = try lab.run(lab.kernelC("again", like: a))
            again.expectConsole("holds an image that was already resumed")
            again.expectConsole("torpor: powering off")
            return description
        }

        @Test func resumesAfterPowerOff() throws { _ = try expectCycle("power-off") { _ in } }

        /// Kernel threads write to the disk while the jump suspends it and takes CPUs offline: every 10 ms the kernel begins to
        /// write back what a process has written. One of these jumps hangs if kernel threads stay on their CPUs.
        @Test func jumpsWhileTheKernelWrites() throws {
            let lab = try Lab("write-back")
            let disk = try lab.disk("ext4", 64 << 20)
            try Tool.run("/sbin/mke2fs", "-q", "-F", "-t", "ext4", disk.path)
            var a = try lab.kernelA(
                "a", disks: [try lab.partitionedDisk("hibernation", 512 << 20), disk],
                """
                # The CPUs of kernel threads, one that writes among them.
                processors() {
                    for process in /proc/[0-9]*; do
                        echo $process $(cat $process/comm) $(grep Cpus_allowed: $process/status)
                    done 2>/dev/null | grep "jbd2\\|kswapd\\|kthreadd\\|oom_reaper"
                    cat /sys/devices/virtual/workqueue/cpumask
                }
                expect format torpor format /dev/vda1
                expect mount mount -t ext4 /dev/vdb /mnt
                echo 1 >/proc/sys/vm/dirty_writeback_centisecs
                echo 1 >/proc/sys/vm/dirty_expire_centisecs
                processors >/tmp/before
                expect "the journal has a thread" grep -q jbd2 /tmp/before
                (while [ ! -e /tmp/stop ]; do dd if=/dev/zero of=/mnt/data bs=64k count=300; done) 2>/dev/null &
                writer=$!
                journal=$(grep jbd2 /tmp/before | cut -d " " -f 1)
                (while [ ! -e /tmp/stop ]; do grep Cpus_allowed: $journal/status; usleep 50000; done) >/tmp/seen &
                for number in 1 2 3 4; do expect "rehearsal $number" hibernate --rehearse; done
                touch /tmp/stop
                wait $writer
                expect "the journal's thread was on CPU 0" grep -q "[^0-9a-f]1$" /tmp/seen
                processors >/tmp/after
                expect "kernel threads run on their CPUs again" diff /tmp/before /tmp/after
                expect unmount umount /mnt
                """)
            a.memory = "512M"
            try lab.run(a).expectDone()
            try Tool.run("/sbin/e2fsck", "-fn", disk.path)
        }

        @Test(.completeRunOnly) func resumesWithFourLevelPaging() throws {
            _ = try expectCycle("four-levels", .mbr) { $0.cpuFeatures = "la57=off" }
        }

        /// An offline Intel CPU waits in MWAIT. QEMU's CPUs do not wait there: they execute the bytes that overwrite their
        /// code. Kernel A may be below N, so its own CPUs must halt instead (`clearcpuid=monitor`).
        @Test(.completeRunOnly) func resumesOnIntelProcessors() throws {
            let lab = try Lab("intel")
            var a = try lab.kernelA(
                "a", disks: [try lab.partitionedDisk(), try lab.disk("other", 16 << 20)],
                """
                start_session
                expect format torpor format /dev/vda1
                expect "the CPUs are from Intel" grep -q GenuineIntel /proc/cpuinfo
                expect return hibernate --after return
                expect_session /dev/vdb
                expect hibernate hibernate
                expect_session /dev/vdb
                """)
            a.cpuFeatures = "vendor=GenuineIntel"
            a.commandLine = "clearcpuid=monitor"
            try lab.run(a).expectConsole("torpor: powering off")
            try lab.run(lab.kernelC("c", like: a)).expectDone()
        }

        @Test(.completeRunOnly) func resumesSixGibibytesAndFourProcessors() throws {
            let description = try expectCycle("six-gibibytes") {
                $0.memory = "6G"
                $0.cpus = 4
                $0.timeout = 600
            }
            #expect(description.jumpBackEntry > 4 << 30, "the jump-back entry is not above 4 GiB")
            #expect(description.machine.processorCount == 4)
        }

        @Test func resumesWithUEFIAndNVMeAndAHCI() throws {
            let lab = try Lab("uefi")
            var a = try lab.kernelA(
                "a",
                on: [
                    Machine.Disk(image: try lab.partitionedDisk(), bus: .ahci),
                    Machine.Disk(image: try lab.disk("other", 16 << 20), bus: .nvme),
                ],
                """
                start_session
                expect format torpor format /dev/sda1
                expect hibernate hibernate
                expect_session /dev/nvme0n1
                """)
            a.firmware = .uefi
            a.timeout = 600
            try lab.run(a).expectConsole("torpor: powering off")
            try lab.run(lab.kernelC("c", like: a)).expectDone()
        }

        /// The kernel's own hibernation cannot do this: its image must fit beside the memory in use.
        @Test(.completeRunOnly) func resumesWithMoreThanHalfOfMemoryInUse() throws {
            let lab = try Lab("more-than-half")
            let image = try lab.partitionedDisk("hibernation", 2 << 30)
            var a = try lab.kernelA(
                "a", disks: [image],
                """
                dd if=/dev/urandom of=/tmp/seed bs=1M count=8 2>/dev/null
                for i in $(seq 85); do echo $i; cat /tmp/seed; done >/tmp/data
                md5sum /tmp/data >/tmp/sum
                used=$(free -m | awk '/^Mem:/ { print $3 + $5 }')
                [ $used -gt 620 ] || fail "only $used MiB are in use"
                expect format torpor format /dev/vda1
                expect hibernate hibernate
                expect data md5sum -c /tmp/sum
                """)
            a.memory = "1200M"
            a.timeout = 900
            try lab.run(a).expectConsole("torpor: powering off")
            try lab.run(lab.kernelC("c", like: a)).expectDone()
        }
    }
}
