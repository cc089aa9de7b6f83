// SPDX-License-Identifier: Apache-2.0
import Foundation
import Machines
import MemoryImage
import Testing

extension MachineTests {
    /// Kernel B comes back into kernel A, whatever fails, and `torpor hibernate` says what it was.
    @Suite(.serialized) struct Faults {
        /// A machine whose hibernation fails with a reason; its session has to be there afterwards.
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
                expect "status tells" grep -q '"outcome" : "failed"' /tmp/status
                expect "the kernel's log tells" sh -c 'dmesg | grep -q "torpor: not hibernated: "'
                """)
            a.memory = "512M"
            change(&a)
            let result = try lab.run(a)
            result.expectDone()
            if let state { #expect(try lab.superblock(a).state == state) }
            return result
        }

        /// Errors of the disk beyond the superblocks, so that kernel A finds nothing wrong with it.
        @Test func comesBackFromAWriteError() throws {
            _ = try expectReturn("write", "write /dev/vda1: Input/output error", state: .failed) { machine in
                machine.disks[0].errors = Self.errors(.write, megabytes: 2..<512)
            }
        }

        @Test func comesBackFromAFlushError() throws {
            _ = try expectReturn("flush", "flush /dev/vda1: Input/output error") { machine in
                machine.disks[0].errors =
                    "[inject-error]\nevent = \"none\"\niotype = \"flush\"\nerrno = \"5\"\nonce = \"off\"\n"
            }
        }

        /// Without /proc/vmcore kernel A's description cannot be read; the place of the report is on the command line.
        @Test func comesBackWithoutKernelAsMemory() throws {
            _ = try expectReturn(
                "vmcore", "open /proc/vmcore: No such file or directory", arguments: "--append elfcorehdr=0x1000",
                state: .empty
            ) { _ in }
        }

        /// A disk that kernel A has mounted cannot be read where kernel B takes its checksum.
        @Test func comesBackFromAReadErrorOfAWatchedDisk() throws {
            let lab = try Lab("fault-watched")
            let mapped = try lab.disk("mapped", 64 << 20)
            try Tool.run("/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-E", "offset=1048576", mapped.path, "32m")
            // The first MiB, where a container has its metadata, is compared as well; kernel A does not read all of it.
            var a = try lab.kernelA(
                "a", disks: [try lab.formattedDisk(), mapped], files: try Guest.program("/sbin/dmsetup"),
                """
                dmsetup create --noudevsync mapped --table '0 65536 linear /dev/vdb 2048' || fail dmsetup
                expect mount mount -t ext4 -o ro /dev/dm-0 /mnt
                refuses hibernate "read /dev/vdb: Input/output error" hibernate
                expect "the file system goes on" ls /mnt/lost+found
                """)
            a.memory = "512M"
            a.disks[1].errors = Self.errors(.read, sectors: [1536])
            try lab.run(a).expectDone()
            #expect(try lab.superblock(a).state == .empty, "nothing was written before the checksums are there")
        }

        /// A read error costs nothing but this boot: a disk that answers again is resumed from.
        @Test func kernelCRefusesAfterAReadError() throws {
            let lab = try Lab("fault-read")
            let a = try lab.savedMachine()
            var c = lab.kernelC("error", like: a)
            c.disks[0].errors = Self.errors(.read, megabytes: 8..<9)
            try lab.run(c).expectNoSession("not resuming: read /dev/vda1: Input/output error")
            #expect(try lab.superblock(a).state == .ready)
            try lab.run(lab.kernelC("healthy", like: a)).expectSession()
        }

        private enum Request: String { case read, write }

        private static func errors(_ request: Request, megabytes: Range<Int>) -> String {
            errors(request, sectors: megabytes.map { $0 * 2048 })
        }

        private static func errors(_ request: Request, sectors: [Int]) -> String {
            // A rule is about one sector; a request fails that touches it.
            sectors.map {
                "[inject-error]\nevent = \"none\"\niotype = \"\(request.rawValue)\"\nerrno = \"5\"\nsector = \"\($0)\"\n"
            }
            .joined(separator: "\n")
        }

        /// Kernel B's memory is used up, and the kernel ends its child, or the process that looks at disks for it.
        @Test func comesBackWhenMemoryRunsOut() throws {
            let result = try expectReturn(
                "memory", " ended", arguments: "--codec xz:9 --append mem=32M"
            ) {
                machine in machine.alarms.removeAll { $0 == "Oops" }
            }
            #expect(result.console.contains("torpor: the memory was not saved: "))
        }

        /// A disk that takes minutes for a chunk: the work is given up, and the jump waits until the disk has answered.
        @Test func comesBackFromADiskThatHangs() throws {
            let result = try expectReturn(
                "hang", "no progress saving for 4 s", arguments: "--append 'torpor.patience=2 torpor.wait=2'"
            ) { machine in machine.disks[0].bytesPerSecond = 150_000 }
            result.expectConsole("torpor: jumping back into kernel A")
        }

        /// The watchdog guards kernel B, and lets go before the jump.
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
            result.expectConsole("the watchdog restarts the machine after 60 s without a word")
            #expect(!result.console.contains("not stopping watchdog"))
        }
    }
}
