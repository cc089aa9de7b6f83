// SPDX-License-Identifier: Apache-2.0
import Foundation
import Machines
import Testing

extension MachineTests {
    /// The firmware and the boot loader write to disks of kernel A at every boot, and the session resumes.
    @Suite(.serialized) struct BootLoaderTests {
        /// The firmware and the boot loader write to the EFI system partition at every boot. The session resumes, and kernel A
        /// sees the new contents.
        @Test(.completeRunOnly) func resumesAfterTheBootLoaderWroteToItsPartition() throws {
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
                expect "kernel A sees the new seed" grep -q new /efi/seed
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

        /// GRUB writes to the blocks of its environment at each boot, without the file system. The session resumes, and
        /// kernel A sees the new contents.
        @Test func resumesAfterGRUBWroteItsEnvironment() throws {
            let lab = try Lab("used-grub")
            let ext4 = try lab.disk("ext4", 7 << 20)
            // With small blocks, the file is near the beginning of the disk.
            try Tool.run("/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-b", "1024", ext4.path)
            var a = try lab.kernelA(
                "a", disks: [try lab.formattedDisk(), ext4],
                """
                mkdir -p /boot/grub
                expect mount mount -t ext4 /dev/vdb /boot/grub
                echo "# GRUB Environment Block" >/boot/grub/grubenv
                echo "recordfail=old" >>/boot/grub/grubenv
                sync
                expect "the page cache has the environment" grep -q recordfail=old /boot/grub/grubenv
                expect hibernate hibernate
                say running
                expect "kernel A sees the new environment" grep -q recordfail=new /boot/grub/grubenv
                expect "the file system works" sh -c 'echo more >/boot/grub/more && umount /boot/grub'
                """)
            a.memory = "512M"
            let saved = try lab.run(a)
            #expect(saved.verdicts("FAILED") == [])
            saved.expectConsole("torpor: powering off")
            var content = try Data(contentsOf: ext4)
            var written = 0
            while let place = content.range(of: Data("recordfail=old".utf8)) {
                #expect(place.lowerBound < 8 << 20, "a comparison of the first 8 MiB would not cover the environment")
                content.replaceSubrange(place, with: Data("recordfail=new".utf8))
                written += 1
            }
            try #require(written > 0)
            try content.write(to: ext4)
            try lab.run(lab.kernelC("c", like: a)).expectDone()
        }
    }
}
