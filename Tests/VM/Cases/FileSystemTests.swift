// SPDX-License-Identifier: Apache-2.0
import Machines
import Testing

extension MachineTests {
    /// File systems in a whole cycle, and the fallbacks of kernel C.
    @Suite(.serialized) struct FileSystemTests {
        @Test(.completeRunOnly) func keepsAFileSystemConsistentUnderAWriter() throws {
            let lab = try Lab("writer")
            let disk = try lab.disk("ext4", 64 << 20)
            try Tool.run("/sbin/mke2fs", "-q", "-F", "-t", "ext4", disk.path)
            let a = try lab.kernelA(
                "a", disks: [try lab.partitionedDisk(), disk],
                """
                expect format torpor format /dev/vda1
                expect mount mount -t ext4 /dev/vdb /mnt
                (i=0; while [ ! -e /tmp/stop ]; do i=$((i + 1)); echo $i >>/mnt/log; done; echo $i >/tmp/written) &
                writer=$!
                sleep 1
                before=$(wc -l </mnt/log)
                expect hibernate hibernate
                sleep 1
                touch /tmp/stop
                wait $writer
                [ $(cat /tmp/written) -gt $before ] || fail "the writer did not continue from $before"
                say before $before
                say written $(cat /tmp/written)
                expect unmount umount /mnt
                """)
            try lab.run(a).expectConsole("torpor: powering off")
            let resumed = try lab.run(lab.kernelC("c", like: a))
            resumed.expectDone()
            try Tool.run("/sbin/e2fsck", "-fn", disk.path)
            let lines = try Tool.run("/sbin/debugfs", "-R", "cat /log", disk.path).split(separator: "\n").dropFirst()
            let written = try #require(resumed.verdicts("written").first.flatMap { Int($0) })
            #expect(lines.map(String.init) == (1...written).map(String.init), "lines are missing")
        }

        /// Makes a disk with a root file system whose init reports that it runs.
        private func rootDisk(_ lab: Lab) throws -> Machine.Disk {
            let disk = try lab.disk("root", 64 << 20)
            try Guest.makeRootFileSystem(
                on: disk,
                """
                grep -q ' / ext4 rw' /proc/mounts && say root writable
                [ -e /proc/cmdline ] && say root proc
                """)
            return Machine.Disk(image: disk)
        }

        @Test func kernelCBootsTheRootFileSystem() throws {
            let lab = try Lab("root")
            var a = try lab.kernelA(
                "a", disks: [try lab.partitionedDisk()],
                """
                expect format torpor format /dev/vda1
                expect hibernate hibernate
                fail "this session must not come back"
                """)
            a.disks.append(try rootDisk(lab))
            // No partition is formatted yet.
            let fresh = try lab.run(lab.kernelC("fresh", like: a, "root=/dev/vdb rw"))
            fresh.expectConsole("nothing to resume")
            #expect(fresh.verdict == ["root writable", "root proc", "done"])
            try lab.run(a).expectConsole("torpor: powering off")
            // The root file system changes under the image, so kernel C does not resume it any more.
            let forbidden = try lab.run(lab.kernelC("forbidden", like: a, "root=/dev/vdb rw noresume"))
            forbidden.expectConsole("not resuming: resume /dev/vda1: noresume")
            #expect(forbidden.verdict.last == "done")
            let stale = try lab.run(lab.kernelC("stale", like: a, "root=/dev/vdb rw"))
            stale.expectConsole("an earlier resume of its image did not complete (resume /dev/vda1: noresume")
            #expect(stale.verdict.last == "done")
        }

        @Test(.completeRunOnly) func kernelCRunsAShellOrRestarts() throws {
            let lab = try Lab("fallback")
            let script = lab.folder.appending(path: "sh")
            try "#!/bin/busybox sh\necho the shell runs as $$\n".write(to: script, atomically: true, encoding: .utf8)
            try Tool.run("/bin/chmod", "755", script.path)
            let rootfs = lab.folder.appending(path: "rootfs.initrd")
            try Tool.run(
                Products.mkinitramfs.path, "--init", Products.initProgram.path, "--output", rootfs.path, "--add",
                "/bin/busybox", "--add", "\(script.path):/bin/sh")
            var c = Machine(name: "shell", disks: [], initrd: rootfs)
            c.commandLine = "mem=128M torpor.fallback=shell"
            let shell = try lab.run(c)
            #expect(shell.console.contains(/the shell runs as [2-9]/))
            shell.expectConsole("reboot: Power down")
            c.name = "reboot"
            c.commandLine = "mem=128M torpor.fallback=reboot torpor.wait=1"
            let restarted = try lab.run(c)
            restarted.expectConsole("nothing to resume: there is no hibernation partition")
            restarted.expectConsole("reboot: Restarting system")
        }

        @Test(.completeRunOnly) func restartsAfterASave() throws {
            let lab = try Lab("reboot")
            let a = try lab.kernelA(
                "a",
                disks: [
                    try lab.partitionedDisk("other", 16 << 20), try lab.partitionedDisk("hibernation", 1 << 30, .mbr),
                ],
                """
                expect "format the other" torpor format /dev/vda1
                expect format torpor format --label nap /dev/vdb1
                expect hibernate hibernate --device LABEL=nap --after reboot
                """)
            try lab.run(a).expectConsole("reboot: Restarting system")
            let named = try lab.run(lab.kernelC("named", like: a, "torpor.device=LABEL=other torpor.wait=1"))
            named.expectConsole("not resuming: find LABEL=other: it did not appear within 1 s")
            // Without torpor.device=, kernel C takes the partition with the image.
            try lab.run(lab.kernelC("c", like: a, "torpor.debug")).expectDone()
        }
    }
}
