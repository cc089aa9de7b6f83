// SPDX-License-Identifier: Apache-2.0
import Foundation
import Machines
import MemoryImage
import Testing

extension MachineTests {
    /// After any failure, kernel B jumps back into kernel A, and `torpor hibernate` prints the reason.
    @Suite(.serialized) struct FaultTests {
        /// Runs a machine whose hibernation fails with a reason. Expects that its session is intact afterwards.
        private func expectReturn(
            _ name: String, _ reason: String, arguments: String = "", state: Superblock.State? = nil,
            _ change: (inout Machine) -> Void
        ) throws -> Machine.Result {
            let lab = try Lab("fault-\(name)")
            let disk = try lab.formattedDisk()
            var a = try lab.kernelA(
                "a", disks: [disk],
                """
                dd if=/dev/urandom of=/tmp/data bs=1M count=32 2>/dev/null
                md5sum /tmp/data >/tmp/sum
                refuses hibernate "\(reason)" hibernate \(arguments)
                expect "the data are unchanged" md5sum -c /tmp/sum
                expect "all $(nproc) CPUs work" cpus_work $(nproc)
                torpor status --json >/tmp/status
                expect "torpor status shows the failure" grep -q '"outcome" : "failed"' /tmp/status
                expect "the kernel log has the failure" sh -c 'dmesg | grep -q "torpor: hibernation failed: "'
                """)
            a.memory = "512M"
            change(&a)
            let result = try lab.run(a)
            result.expectDone()
            if let state { #expect(try lab.superblock(a).state == state) }
            return result
        }

        /// The errors are behind the superblocks, so that kernel A finds no error.
        @Test func jumpsBackAfterAWriteError() throws {
            _ = try expectReturn("write", "write /dev/vda1: Input/output error", state: .failed) { machine in
                machine.disks[0].errors = Self.errors(.write, megabytes: 2..<512)
            }
        }

        @Test(.completeRunOnly) func jumpsBackAfterAFlushError() throws {
            _ = try expectReturn("flush", "flush /dev/vda1: Input/output error") { machine in
                machine.disks[0].errors =
                    "[inject-error]\nevent = \"none\"\niotype = \"flush\"\nerrno = \"5\"\nonce = \"off\"\n"
            }
        }

        /// Without /proc/vmcore kernel B cannot read kernel A's note. The address of the report is on its command line.
        @Test(.completeRunOnly) func jumpsBackWithoutVmcore() throws {
            _ = try expectReturn(
                "vmcore", "open /proc/vmcore: No such file or directory", arguments: "--append elfcorehdr=0x1000",
                state: .empty
            ) { _ in }
        }

        /// Kernel B cannot read a mounted disk at a place that belongs to the fingerprint.
        @Test(.completeRunOnly) func jumpsBackAfterAReadErrorOfAWatchedDisk() throws {
            let lab = try Lab("fault-watched")
            let mapped = try lab.disk("mapped", 64 << 20)
            try Tool.run("/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-E", "offset=1048576", mapped.path, "32m")
            // The fingerprint covers the first MiB, the metadata of a container. Kernel A does not read all of it.
            var a = try lab.kernelA(
                "a", disks: [try lab.formattedDisk(), mapped], files: try Guest.program("/sbin/dmsetup"),
                """
                dmsetup create --noudevsync mapped --table '0 65536 linear /dev/vdb 2048' || fail dmsetup
                expect mount mount -t ext4 -o ro /dev/dm-0 /mnt
                refuses hibernate "read /dev/vdb: Input/output error" hibernate
                expect "the file system works" ls /mnt/lost+found
                """)
            a.memory = "512M"
            a.disks[1].errors = Self.errors(.read, sectors: [1536])
            try lab.run(a).expectDone()
            #expect(try lab.superblock(a).state == .empty, "kernel B wrote before it had the fingerprints")
        }

        /// A read error costs only this boot: when the disk works again, kernel C resumes.
        @Test(.completeRunOnly) func kernelCRefusesAfterAReadError() throws {
            let lab = try Lab("fault-read")
            let a = try lab.savedMachine()
            var c = lab.kernelC("error", like: a)
            c.disks[0].errors = Self.errors(.read, megabytes: 72..<73)
            try lab.run(c).expectNoSession("not resuming: read /dev/vda1: Input/output error")
            #expect(try lab.superblock(a).state == .ready)
            try lab.run(lab.kernelC("healthy", like: a)).expectSession()
        }

        private enum Request: String { case read, write }

        private static func errors(_ request: Request, megabytes: Range<Int>) -> String {
            errors(request, sectors: megabytes.map { $0 * 2048 })
        }

        private static func errors(_ request: Request, sectors: [Int]) -> String {
            // A rule names one sector. Each request that touches the sector fails.
            sectors.map {
                "[inject-error]\nevent = \"none\"\niotype = \"\(request.rawValue)\"\nerrno = \"5\"\nsector = \"\($0)\"\n"
            }
            .joined(separator: "\n")
        }

        /// Kernel B runs out of memory while the child works, and the kernel kills the child.
        @Test(.completeRunOnly) func jumpsBackIfMemoryRunsOut() throws {
            let result = try expectReturn(
                "memory", "the child process was killed by signal 9", arguments: "--append torpor.fault=pages:memory"
            ) { _ in }
            result.expectConsole("Out of memory: Killed process")
        }

        /// A disk takes minutes for a chunk: PID 1 kills the child, and the jump waits until the disk has answered.
        @Test(.completeRunOnly) func jumpsBackFromAHangingDisk() throws {
            let result = try expectReturn(
                "hang", "saving: no progress for 4 s", arguments: "--append 'torpor.patience=2 torpor.wait=2'"
            ) { machine in machine.disks[0].bytesPerSecond = 150_000 }
            result.expectConsole("torpor: jumping back into kernel A")
        }

        /// A watchdog guards kernel B. Kernel B disarms it before the jump.
        @Test func watchdogGuardsKernelB() throws {
            let lab = try Lab("watchdog")
            var a = try lab.kernelA(
                "a", disks: [try lab.partitionedDisk("hibernation", 512 << 20)],
                """
                expect format torpor format /dev/vda1
                expect hibernate hibernate --after return --append torpor.debug
                """)
            a.memory = "512M"
            a.devices = ["i6300esb"]
            let result = try lab.run(a)
            result.expectDone()
            result.expectConsole("armed a watchdog that restarts the machine if kernel B hangs for 60 s")
            #expect(!result.console.contains("not stopping watchdog"))
        }
    }
}
