// SPDX-License-Identifier: Apache-2.0
import Foundation
import Machines
import MemoryImage
import Testing

extension MachineTests {
    /// Another system uses what kernel A has mounted, while its session is on disk: each file system that README names.
    /// The session is refused then, and resumed if nobody has used anything.
    @Suite(.serialized) struct UsedMeanwhile {
        /// A file system of kernel A's, and another system's use of it.
        private struct FileSystem {
            var name: String
            /// Formats an image.
            var make: [String]
            var mountOptions = ""
            /// What the other system does with the mounted file system, at /mnt.
            var use = "echo changed >/mnt/data && sync"
            /// Where it lies: the whole disk, or its first partition.
            var isPartitioned = true
            var byteCount: UInt64
        }

        private static let fileSystems = [
            FileSystem(name: "xfs", make: ["/sbin/mkfs.xfs", "-q", "-f"], byteCount: 320 << 20),
            FileSystem(name: "f2fs", make: ["/sbin/mkfs.f2fs", "-q"], isPartitioned: false, byteCount: 64 << 20),
            // As cards are formatted: everything lies behind the first 16 MiB. In a folder below the root, nothing of
            // what is changed is in the root directory or the allocation bitmap.
            FileSystem(
                name: "exfat", make: ["/sbin/mkfs.exfat", "-b", "16M"],
                use: "dd if=/dev/urandom of=/mnt/folder/below/data bs=16 count=1 conv=notrunc 2>/dev/null && sync",
                byteCount: 96 << 20),
            FileSystem(
                name: "vfat", make: ["/sbin/mkfs.vfat", "-F", "32", "-s", "8", "-R", "4096"],
                use: "dd if=/dev/urandom of=/mnt/folder/below/data bs=16 count=1 conv=notrunc 2>/dev/null && sync",
                isPartitioned: false, byteCount: 512 << 20),
        ]

        @Test(arguments: fileSystems.indices) func refusesAFileSystemThatWasUsed(_ number: Int) throws {
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
                expect "the file system goes on" sh -c 'cmp /mnt/data /mnt/folder/below/data && echo more >/mnt/more && umount /mnt'
                """)
            a.memory = "512M"
            let saved = try lab.run(a)
            #expect(saved.verdicts("FAILED") == [])
            saved.expectConsole("torpor: powering off")

            try useOnAnotherSystem(
                lab, a, [disk],
                "mount -t \(system.name) \(device) /mnt && \(system.use) && umount /mnt || fail use",
                "\(system.name) on /mnt")
            try lab.run(lab.kernelC("right", like: a)).expectDone()
        }

        /// Two whole disks of one file system have one UUID; each is watched as itself.
        @Test func watchesBtrfsOnTwoWholeDisks() throws {
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
                expect "the file system goes on" sh -c 'md5sum -c /tmp/sum && echo more >/mnt/more && umount /mnt'
                """)
            a.memory = "512M"
            try Tool.run("/sbin/mkfs.btrfs", "-q", "-d", "raid1", "-m", "raid1", disks[0].path, disks[1].path)
            let saved = try lab.run(a)
            #expect(saved.verdicts("FAILED") == [])
            saved.expectConsole("torpor: powering off")
            try useOnAnotherSystem(
                lab, a, disks,
                "btrfs device scan; mount -t btrfs /dev/vdc /mnt && echo changed >/mnt/data && umount /mnt || fail use",
                "btrfs on /mnt", files: try Guest.program("/bin/btrfs"))
            // The disks may change places: each is found by what it is.
            var swapped = lab.kernelC("swapped", like: a)
            swapped.disks.swapAt(1, 2)
            try lab.run(swapped).expectConsole("torpor: jumping into kernel A")
        }

        /// A file system that no process but one in a mount namespace of its own sees is in use all the same.
        @Test func refusesWhatAnotherMountNamespaceHas() throws {
            let lab = try Lab("used-namespace")
            let ext4 = try lab.disk("ext4", 64 << 20)
            try Tool.run("/sbin/mke2fs", "-q", "-F", "-t", "ext4", ext4.path)
            var a = try lab.kernelA(
                "a", disks: [try lab.formattedDisk(), ext4],
                """
                mkfifo /tmp/hold
                unshare -m --propagation private sh -c 'mount -t ext4 /dev/vdb /mnt && echo old >/mnt/data && read -r word </tmp/hold &&
                    grep -q old /mnt/data && umount /mnt && echo right >/tmp/namespace' &
                until grep -q "/dev/vdb /mnt ext4" /proc/$!/mounts; do sleep 0.1; done
                grep -q "/dev/vdb" /proc/mounts && fail "it is no namespace of its own"
                expect hibernate hibernate
                say running
                echo go >/tmp/hold
                wait
                expect "the file system goes on" grep -q right /tmp/namespace
                """)
            a.memory = "512M"
            let saved = try lab.run(a)
            #expect(saved.verdicts("FAILED") == [])
            saved.expectConsole("torpor: powering off")
            try useOnAnotherSystem(
                lab, a, [ext4], "mount -t ext4 /dev/vdb /mnt && echo new >/mnt/new && umount /mnt || fail use",
                "ext4 on /mnt")
            try lab.run(lab.kernelC("right", like: a)).expectDone()
        }

        /// What was swapped out is a part of the session, wherever it lies in the swap space.
        @Test func refusesSwapSpaceThatWasUsed() throws {
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
            // One page, far behind the beginning, with the header as it is.
            try useOnAnotherSystem(
                lab, a, [swap],
                "dd if=/dev/urandom of=/dev/vdb bs=4096 seek=8192 count=1 conv=notrunc oflag=direct 2>/dev/null || fail use",
                "swap space /dev/vdb")
            try lab.run(lab.kernelC("right", like: a)).expectDone()
        }

        /// The firmware and the boot loader write to the EFI system partition at every start: the session does not mind, and
        /// kernel A sees what they wrote.
        @Test func resumesAfterTheBootLoaderWroteToItsPartition() throws {
            let lab = try Lab("used-esp")
            let fat = try lab.disk("fat", 64 << 20)
            try Tool.run("/sbin/mkfs.vfat", "-F", "32", fat.path)
            let disk = try lab.disk("esp", [.efiSystem(fat), .empty(512 << 20)])
            var a = try lab.kernelA(
                "a", disks: [disk],
                """
                expect format torpor format /dev/vda2
                mkdir /efi
                expect mount mount -t vfat -o ro,umask=0077 /dev/vda1 /efi
                mount -o remount,rw /efi
                echo old >/efi/seed
                cat /efi/seed >/dev/null
                expect hibernate hibernate
                say running
                expect "it is mounted as before" grep -q '/dev/vda1 /efi vfat rw,.*fmask=0077,dmask=0077' /proc/mounts
                expect "the new seed is seen" grep -q new /efi/seed
                cd /efi
                refuses busy "/efi" hibernate
                cd /
                """)
            a.memory = "512M"
            let saved = try lab.run(a)
            #expect(saved.verdicts("FAILED") == [])
            saved.expectConsole("torpor: powering off")
            var loader = try lab.kernelA(
                "loader", disks: [disk],
                "mount -t vfat /dev/vda1 /mnt && echo new >/mnt/seed && umount /mnt || fail use")
            loader.memory = a.memory
            try lab.run(loader).expectDone()
            try lab.run(lab.kernelC("c", like: a)).expectDone()
        }

        /// GRUB writes into the blocks of its environment at each start, past every file system: the session does not mind, and
        /// kernel A sees what it wrote.
        @Test func resumesAfterGRUBWroteItsEnvironment() throws {
            let lab = try Lab("used-grub")
            let ext4 = try lab.disk("ext4", 7 << 20)
            // With small blocks, files begin early.
            try Tool.run("/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-b", "1024", ext4.path)
            var a = try lab.kernelA(
                "a", disks: [try lab.formattedDisk(), ext4],
                """
                mkdir -p /boot/grub
                expect mount mount -t ext4 /dev/vdb /boot/grub
                echo "# GRUB Environment Block" >/boot/grub/grubenv
                echo "recordfail=old" >>/boot/grub/grubenv
                sync
                expect "the environment is in the page cache" grep -q recordfail=old /boot/grub/grubenv
                expect hibernate hibernate
                say running
                expect "the new environment is seen" grep -q recordfail=new /boot/grub/grubenv
                expect "the file system goes on" sh -c 'echo more >/boot/grub/more && umount /boot/grub'
                """)
            a.memory = "512M"
            let saved = try lab.run(a)
            #expect(saved.verdicts("FAILED") == [])
            saved.expectConsole("torpor: powering off")
            var content = try Data(contentsOf: ext4)
            var written = 0
            while let place = content.range(of: Data("recordfail=old".utf8)) {
                #expect(place.lowerBound < 8 << 20, "it would not have been compared before")
                content.replaceSubrange(place, with: Data("recordfail=new".utf8))
                written += 1
            }
            try #require(written > 0)
            try content.write(to: ext4)
            try lab.run(lab.kernelC("c", like: a)).expectDone()
        }

        /// Runs a script on another system with copies of some of a machine's disks, and expects that kernel C refuses the
        /// session with these, and keeps it.
        /// - Parameter user: what kernel C has to name.
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
