// SPDX-License-Identifier: Apache-2.0
import Foundation
import Machines
import MemoryImage
import Testing

extension MachineTests {
    /// While the session is on disk, another system uses a file system that kernel A has mounted, of each type that the
    /// README names. Kernel C refuses the session. It resumes the session with the unused disk.
    @Suite(.serialized) struct UsedMeanwhileTests {
        /// A file system of kernel A, and its use by another system.
        private struct FileSystem {
            var name: String
            /// The command that formats an image.
            var make: [String]
            var mountOptions = ""
            /// The other system's commands, with the file system mounted on /mnt.
            var use = "echo changed >/mnt/data && sync"
            /// True if it is in the first partition, false if it is the whole disk.
            var isPartitioned = true
            var byteCount: UInt64
        }

        private static let fileSystems = [
            FileSystem(name: "xfs", make: ["/sbin/mkfs.xfs", "-q", "-f"], byteCount: 320 << 20),
            FileSystem(name: "f2fs", make: ["/sbin/mkfs.f2fs", "-q"], isPartitioned: false, byteCount: 64 << 20),
            // Formatted like a memory card: all data are after the first 16 MiB. The file is in a subfolder, so the change
            // touches neither the root directory nor the allocation bitmap.
            FileSystem(
                name: "exfat", make: ["/sbin/mkfs.exfat", "-b", "16M"],
                use: "dd if=/dev/urandom of=/mnt/folder/below/data bs=16 count=1 conv=notrunc 2>/dev/null && sync",
                byteCount: 96 << 20),
            FileSystem(
                name: "vfat", make: ["/sbin/mkfs.vfat", "-F", "32", "-s", "8", "-R", "4096"],
                use: "dd if=/dev/urandom of=/mnt/folder/below/data bs=16 count=1 conv=notrunc 2>/dev/null && sync",
                isPartitioned: false, byteCount: 512 << 20),
        ]

        @Test(arguments: isComplete ? fileSystems.indices : 0..<1) func refusesAFileSystemThatWasUsed(_ number: Int)
            throws
        {
            let system = Self.fileSystems[number]
            let lab = try Lab("used-\(system.name)")
            let plain = try lab.disk("plain", system.byteCount)
            try Tool.run(system.make + [plain.path])
            let disk = system.isPartitioned ? try lab.disk("other", [.file(plain)]) : plain
            let device = system.isPartitioned ? "/dev/vdb1" : "/dev/vdb"
            var a = try lab.kernelA(
                "a", disks: [try lab.formattedDisk(), disk],
                """
                expect mount mount -t \(system.name) \(device) /mnt
                mkdir -p /mnt/folder/below
                dd if=/dev/urandom of=/mnt/data bs=1M count=1 2>/dev/null
                cp /mnt/data /mnt/folder/below/data
                sync
                expect hibernate hibernate
                say running
                expect "the file system works" sh -c \
                    'cmp /mnt/data /mnt/folder/below/data && echo more >/mnt/more && umount /mnt'
                """)
            a.memory = "512M"
            let saved = try lab.run(a)
            #expect(saved.verdicts("FAILED") == [])
            saved.expectConsole("torpor: powering off")

            try useOnAnotherSystem(
                lab, a, [disk],
                "mount -t \(system.name) \(device) /mnt && \(system.use) && umount /mnt || fail use",
                "\(system.name) file system on /mnt")
            try lab.run(lab.kernelC("right", like: a)).expectDone()
        }

        /// Two whole disks of one file system have the same UUID; Torpor watches each of them.
        @Test(.completeRunOnly) func watchesBtrfsOnTwoWholeDisks() throws {
            let lab = try Lab("used-btrfs")
            let disks = [try lab.disk("one", 256 << 20), try lab.disk("two", 256 << 20)]
            var a = try lab.kernelA(
                "a", disks: [try lab.formattedDisk()] + disks, files: try Guest.program("/bin/btrfs"),
                """
                expect scan btrfs device scan
                expect mount mount -t btrfs /dev/vdb /mnt
                dd if=/dev/urandom of=/mnt/data bs=1M count=8 2>/dev/null
                md5sum /mnt/data >/tmp/sum
                expect hibernate hibernate
                say running
                expect "the file system works" sh -c 'md5sum -c /tmp/sum && echo more >/mnt/more && umount /mnt'
                """)
            a.memory = "512M"
            try Tool.run("/sbin/mkfs.btrfs", "-q", "-d", "raid1", "-m", "raid1", disks[0].path, disks[1].path)
            let saved = try lab.run(a)
            #expect(saved.verdicts("FAILED") == [])
            saved.expectConsole("torpor: powering off")
            try useOnAnotherSystem(
                lab, a, disks,
                "btrfs device scan; mount -t btrfs /dev/vdc /mnt && echo changed >/mnt/data && umount /mnt || fail use",
                "btrfs file system on /mnt", files: try Guest.program("/bin/btrfs"))
            // The disks may change places: kernel C identifies each by its contents.
            var swapped = lab.kernelC("swapped", like: a)
            swapped.disks.swapAt(1, 2)
            try lab.run(swapped).expectConsole("torpor: jumping into kernel A")
        }

        /// A file system is in use even if only one process, in its own mount namespace, sees it.
        @Test(.completeRunOnly) func refusesAFileSystemOfAnotherMountNamespace() throws {
            let lab = try Lab("used-namespace")
            let ext4 = try lab.disk("ext4", 64 << 20)
            try Tool.run("/sbin/mke2fs", "-q", "-F", "-t", "ext4", ext4.path)
            var a = try lab.kernelA(
                "a", disks: [try lab.formattedDisk(), ext4],
                """
                mkfifo /tmp/hold
                unshare -m --propagation private sh -c 'mount -t ext4 /dev/vdb /mnt && echo old >/mnt/data &&
                    read -r word </tmp/hold && grep -q old /mnt/data && umount /mnt && echo right >/tmp/namespace' &
                until grep -q "/dev/vdb /mnt ext4" /proc/$!/mounts; do sleep 0.1; done
                grep -q "/dev/vdb" /proc/mounts && fail "the mount is visible outside its namespace"
                expect hibernate hibernate
                say running
                echo go >/tmp/hold
                wait
                expect "the file system works" grep -q right /tmp/namespace
                """)
            a.memory = "512M"
            let saved = try lab.run(a)
            #expect(saved.verdicts("FAILED") == [])
            saved.expectConsole("torpor: powering off")
            try useOnAnotherSystem(
                lab, a, [ext4], "mount -t ext4 /dev/vdb /mnt && echo new >/mnt/new && umount /mnt || fail use",
                "ext4 file system on /mnt")
            try lab.run(lab.kernelC("right", like: a)).expectDone()
        }

        /// Swapped-out pages are part of the session, anywhere in the swap space.
        @Test(.completeRunOnly) func refusesSwapSpaceThatWasUsed() throws {
            let lab = try Lab("used-swap")
            let swap = try lab.disk("swap", 512 << 20)
            try Tool.run("/sbin/mkswap", "-q", swap.path)
            var a = try lab.kernelA(
                "a", disks: [try lab.formattedDisk(), swap],
                """
                expect swapon swapon /dev/vdb
                mount -o remount,size=640M /tmp
                dd if=/dev/urandom of=/tmp/data bs=1M count=440 2>/dev/null
                md5sum /tmp/data >/tmp/sum
                swapped=$(awk 'NR == 2 { print $4 }' /proc/swaps)
                [ $swapped -gt 4096 ] || fail "only $swapped KiB are swapped out"
                expect hibernate hibernate
                say running
                expect "the data are unchanged" md5sum -c /tmp/sum
                """)
            a.memory = "512M"
            let saved = try lab.run(a)
            #expect(saved.verdicts("FAILED") == [])
            saved.expectConsole("torpor: powering off")
            // Changes one page far from the beginning; the header stays.
            try useOnAnotherSystem(
                lab, a, [swap],
                "dd if=/dev/urandom of=/dev/vdb bs=4096 seek=8192 count=1 conv=notrunc oflag=direct 2>/dev/null || fail use",
                "swap space /dev/vdb")
            try lab.run(lab.kernelC("right", like: a)).expectDone()
        }

        /// Runs a script on another system with copies of a machine's disks. Expects that kernel C refuses the session with
        /// these disks, and keeps it.
        /// - Parameter user: the use that kernel C must name.
        private func useOnAnotherSystem(
            _ lab: Lab, _ a: Machine, _ disks: [URL], _ script: String, _ user: String, files: [String: URL] = [:]
        ) throws {
            var other = try lab.kernelA("other", disks: [], files: files, script)
            other.memory = a.memory
            other.disks = a.disks
            for number in other.disks.indices {
                other.disks[number].image = try lab.copy(a.disks[number].image, "used-\(number)")
            }
            try lab.run(other).expectDone()
            var c = lab.kernelC("used", like: a)
            c.disks = other.disks
            let refused = try lab.run(c)
            refused.expectNoSession("torpor: not resuming:")
            refused.expectConsole(user)
            #expect(try lab.superblock(c).state == .ready)
        }
    }
}
