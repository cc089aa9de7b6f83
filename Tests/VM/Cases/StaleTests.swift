// SPDX-License-Identifier: Apache-2.0
import Foundation
import Machines
import MemoryImage
import Testing

extension MachineTests {
    /// Images that no longer fit the machine or the contents of its disks. Kernel C refuses each of them on a copy of the
    /// machine, and resumes the session with the unchanged disks in the end.
    @Suite(.serialized) struct StaleTests {
        /// Runs a machine until its session is saved. Its disks: hibernation, ext4, ext4 inside a device-mapper device, swap.
        private func saved(_ lab: Lab) throws -> Machine {
            let ext4 = try lab.disk("ext4", 62 << 20), mapped = try lab.disk("mapped", 64 << 20)
            let swap = try lab.disk("swap", 64 << 20)
            try Tool.run("/sbin/mke2fs", "-q", "-F", "-t", "ext4", ext4.path)
            let plain = try lab.disk("plain", [.file(ext4)], .mbr)
            try Tool.run("/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-E", "offset=1048576", mapped.path, "32m")
            var a = try lab.kernelA(
                "a", disks: [try lab.partitionedDisk("hibernation", 512 << 20), plain, mapped, swap],
                files: try Guest.program("/sbin/dmsetup"),
                Self.map + """
                    expect format torpor format /dev/vda1
                    mkdir /ro
                    expect mount mount -t ext4 /dev/vdb1 /mnt
                    expect "mount read-only" mount -t ext4 -o ro /dev/dm-0 /ro
                    mkswap /dev/vdd >/dev/null 2>&1
                    expect swapon swapon /dev/vdd
                    expect hibernate hibernate
                    echo after >/mnt/after
                    expect "the file system works" umount /mnt
                    """)
            a.memory = "512M"
            let result = try lab.run(a)
            #expect(result.verdicts("FAILED") == [])
            result.expectConsole("torpor: powering off")
            return a
        }

        private static let map = "dmsetup create mapped --table '0 65536 linear /dev/vdc 2048' || fail dmsetup\n"

        /// Runs another system on copies of a machine's disks.
        private func used(_ lab: Lab, _ a: Machine, _ name: String, _ script: String) throws -> Machine {
            var other = try lab.kernelA(
                name, disks: [], files: try Guest.program("/sbin/dmsetup"), script)
            other.disks = a.disks
            for number in a.disks.indices {
                other.disks[number].image = try lab.copy(a.disks[number].image, "\(name)-\(number)")
            }
            other.memory = a.memory
            try lab.run(other).expectDone()
            return other
        }

        private func refusal(_ lab: Lab, _ a: Machine, _ name: String, disks: [Machine.Disk]? = nil) throws
            -> Machine.Result
        {
            // A missing disk does not appear later.
            var c = lab.kernelC(name, like: a, "torpor.wait=1")
            if let disks { c.disks = disks }
            let result = try lab.run(c)
            #expect(!result.console.contains("jumping into kernel A"), "\(name) was resumed")
            result.expectConsole("torpor: not resuming:")
            #expect(try lab.superblock(c).state == .ready, "\(name)")
            return result
        }

        @Test func refusesDisksThatWereUsed() throws {
            let lab = try Lab("stale")
            let a = try saved(lab)
            for (name, script, text) in [
                (
                    "plain", "mount -t ext4 /dev/vdb1 /mnt && touch /mnt/x && umount /mnt || fail mount",
                    "the ext4 file system on /mnt has changed since hibernation"
                ),
                // Only the writes of a mount and an unmount.
                (
                    "mounted", "mount -t ext4 /dev/vdb1 /mnt && umount /mnt || fail mount",
                    "the ext4 file system on /mnt has changed since hibernation"
                ),
                (
                    "mapped",
                    Self.map + "mount -t ext4 /dev/dm-0 /mnt && touch /mnt/x && umount /mnt || fail mount",
                    "the ext4 file system on /ro has changed since hibernation"
                ),
                (
                    "swap", "mkswap /dev/vdd >/dev/null 2>&1 || fail mkswap",
                    "watch the swap space /dev/vdd: its device UUID="
                ),
            ] {
                let other = try used(lab, a, "use-\(name)", script)
                try refusal(lab, a, name, disks: other.disks).expectConsole(text)
            }
            // A read-only mount without a replay of the journal changes nothing.
            let looked = try used(lab, a, "look", "mount -t ext4 -o ro,noload /dev/vdb1 /mnt && ls /mnt || fail mount")
            try lab.run(lab.kernelC("looked", like: looked)).expectDone()
            try lab.run(lab.kernelC("right", like: a)).expectDone()
        }

        @Test(.completeRunOnly) func refusesAnotherMachine() throws {
            let lab = try Lab("other-machine")
            let a = try saved(lab)
            var disks = a.disks
            disks[1].image = try lab.disk("another", 64 << 20)
            let missing = try refusal(lab, a, "missing", disks: disks)
            missing.expectConsole("watch the ext4 file system on /mnt: its device PARTUUID=")
            missing.expectConsole("is missing")
            disks[1].image = a.disks[1].image
            disks[3].image = try lab.copy(a.disks[3].image, "larger")
            let file = try FileHandle(forWritingTo: disks[3].image)
            try file.truncate(atOffset: 65 << 20)
            try file.close()
            try refusal(lab, a, "larger", disks: disks).expectConsole("has 68157440 bytes, but had 67108864")

            var other = a
            other.cpuFeatures = "avx2=off"
            try refusal(lab, other, "features").expectConsole("the processor has changed: it lacks features")
            other = a
            other.cpus = 1
            try refusal(lab, other, "fewer-cpus").expectConsole("it ran on 2 CPUs, but this machine has 1")
            other.cpus = 3
            try refusal(lab, other, "more-cpus").expectConsole("the firmware's ACPI tables have changed")
            try lab.run(lab.kernelC("right", like: a)).expectDone()
        }
    }
}
