// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Machines
import MemoryImage
import Testing

extension MachineTests {
    /// Special memory: hot-plugged, hidden, broken, or very large.
    @Suite(.serialized) struct MemoryTests {
        /// ACPI describes this RAM as a device: without a parameter, kernels B and C would use it as their own.
        @Test(.completeRunOnly) func resumesHotPluggedMemory() throws {
            let lab = try Lab("hot-plugged")
            var a = try lab.kernelA(
                "a", disks: [try lab.partitionedDisk(), try lab.disk("other", 16 << 20)],
                """
                expect format torpor format /dev/vda1
                total=$(awk '/MemTotal/ { print $2 }' /proc/meminfo)
                [ $total -gt 700000 ] || fail "the DIMM is missing: $total KiB"
                mount -o remount,size=600M /tmp
                # More data than fit into one of both.
                dd if=/dev/urandom of=/tmp/seed bs=1M count=4 2>/dev/null
                for i in $(seq 115); do echo $i; cat /tmp/seed; done >/tmp/data
                md5sum /tmp/data >/tmp/sum
                expect return hibernate --after return
                expect "after a snapshot" md5sum -c /tmp/sum
                expect hibernate hibernate
                expect data md5sum -c /tmp/sum
                expect cpus cpus_work 2
                """)
            a.memory = "512M,slots=2,maxmem=4G"
            a.options = ["-object", "memory-backend-ram,id=dimm,size=384M"]
            a.devices = ["pc-dimm,memdev=dimm"]
            a.timeout = 600
            try lab.run(a).expectConsole("torpor: powering off")
            // Without the DIMM kernel C refuses the session and keeps it.
            var without = lab.kernelC("without", like: a)
            without.options = []
            without.devices = []
            try lab.run(without).expectNoSession("torpor: not resuming:")
            #expect(try lab.superblock(a).state == .ready)
            var c = lab.kernelC("c", like: a)
            c.dirtyMemory = try lab.garbage(mebibytes: 256)
            try lab.run(c).expectDone()
        }

        /// Kernel C may use memory below N that `memmap=` hides from kernel A: it contains nothing of kernel A.
        @Test(.completeRunOnly) func resumesWithMemoryHiddenFromKernelA() throws {
            let lab = try Lab("cut-out")
            var a = try lab.sessionMachine(disk: try lab.formattedDisk())
            a.commandLine = "memmap=1M$32M"
            try lab.run(a).expectConsole("torpor: powering off")
            var c = lab.kernelC("c", like: a)
            c.commandLine = c.commandLine.replacing("memmap=1M$32M", with: "")
            try lab.run(c).expectSession()
        }

        /// Kernel B does not read a page with a memory error: a machine check would end the save.
        @Test(.completeRunOnly) func leavesOutPoisonedPages() throws {
            let lab = try Lab("poisoned")
            var a = try lab.kernelA(
                "a", disks: [try lab.formattedDisk()], files: ["bin/pattern": Products.pattern],
                """
                dd if=/dev/urandom of=/tmp/data bs=1M count=16 2>/dev/null
                md5sum /tmp/data >/tmp/sum
                # The kernel sends SIGBUS to the program, which ignores it.
                expect poison sh -c "trap '' BUS; exec pattern poison 3"
                expect "three pages are broken" grep -q 'HardwareCorrupted: *12 kB' /proc/meminfo
                expect hibernate hibernate --append torpor.debug
                expect data md5sum -c /tmp/sum
                """)
            a.memory = "512M"
            let saved = try lab.run(a)
            saved.expectConsole("torpor: powering off")
            saved.expectConsole("torpor: leaving out 12.0 KiB of memory that must not be read")
            try lab.run(lab.kernelC("c", like: a)).expectDone()
        }

        /// The host takes half of the memory back: kernels B and C would give all their memory to it.
        @Test(.completeRunOnly) func resumesWithABalloon() throws {
            let lab = try Lab("balloon")
            let word = "initcall_blacklist=virtio_balloon_driver_init"
            var a = try lab.kernelA(
                "a", disks: [try lab.formattedDisk(), try lab.disk("other", 16 << 20)],
                """
                start_session
                for i in $(seq 100); do
                    total=$(awk '/MemTotal/ { print $2 }' /proc/meminfo)
                    [ $total -lt 600000 ] && break
                    sleep 0.1
                done
                [ $total -lt 600000 ] || fail "the balloon is empty: $total KiB"
                torpor check $torpor_b >/tmp/check || fail "check: $(cat /tmp/check)"
                expect "it is told" grep -q "parameters of kernel C: .*mem=.* \(word)" /tmp/check
                expect hibernate hibernate
                expect_session /dev/vdb
                for i in $(seq 100); do
                    total=$(awk '/MemTotal/ { print $2 }' /proc/meminfo)
                    [ $total -lt 600000 ] && break
                    sleep 0.1
                done
                [ $total -lt 600000 ] && say "ok balloon" || fail "the host does not get the memory: $total KiB"
                """)
            a.devices = ["virtio-balloon-pci,id=balloon"]
            a.monitorCommands = ["balloon 512"]
            try lab.run(a).expectConsole("torpor: powering off")
            try lab.run(lab.kernelC("c", like: a, word)).expectDone()
        }

        /// Much memory, little of it in use: the progress counts only pages to save.
        @Test(.completeRunOnly) func resumesSixtyFourGibibytes() throws {
            let lab = try Lab("large")
            var a = try lab.kernelA(
                "a", disks: [try lab.partitionedDisk("hibernation", 4 << 30), try lab.disk("other", 16 << 20)],
                """
                mount -o remount,size=2G /tmp
                start_session
                for i in $(seq 8); do cat /tmp/data; done >/tmp/more
                md5sum /tmp/more >/tmp/more.sum
                expect format torpor format /dev/vda1
                expect hibernate hibernate --codec none --append torpor.debug
                expect_session /dev/vdb
                expect more md5sum -c /tmp/more.sum
                """)
            a.memory = "64G"
            a.isMemorySparse = true
            a.timeout = 600
            a.disks[0].bytesPerSecond = 120 << 20
            let saved = try lab.run(a)
            saved.expectConsole("torpor: powering off")
            expectRightTimeLeft(saved, "saving")
            let resumed = try lab.run(lab.kernelC("c", like: a))
            resumed.expectDone()
        }

        /// Compares each estimate with the actual time: the error is at most a fifth, plus 1.5 s for rounding. The lines have
        /// no time: the first comes a second after the beginning, each other 10 s after the one before.
        private func expectRightTimeLeft(_ result: Machine.Result, _ verb: String) {
            let lines = result.console.matches(of: /torpor: ([a-z]+): [0-9]+ % of [^\n]*, ([0-9]+) s left/)
                .filter { $0.1 == verb }
            guard let begin = result.console.firstMatch(of: #/\[ *([0-9.]+)\] torpor: begin: /#),
                let first = Double(begin.1),
                let end = result.console.firstMatch(of: #/\[ *([0-9.]+)\] torpor: saved/#), let last = Double(end.1)
            else {
                Issue.record("the console has no beginning or no end")
                return
            }
            for (number, line) in lines.enumerated() {
                guard let left = Double(line.2) else { continue }
                let now = first + 1 + Double(number) * 10, truth = last - now
                #expect(abs(left - truth) <= truth / 5 + 1.5, "\(left) s left at \(now), but it took \(truth) s")
            }
            #expect(lines.count >= 2, "too few lines to compare: \(lines.count)")
        }
    }
}
