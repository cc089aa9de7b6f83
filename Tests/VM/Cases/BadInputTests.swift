// SPDX-License-Identifier: Apache-2.0
import Foundation
import Machines
import Testing

extension MachineTests {
    /// Refusals of invalid input and unsuitable systems: one sentence with the reason and the remedy, exit status 1, no change.
    @Suite(.serialized) struct BadInputTests {
        @Test func refusesInvalidArguments() throws {
            let lab = try Lab("bad-input")
            let ext4 = try lab.disk("ext4", 16 << 20)
            try Tool.run("/sbin/mke2fs", "-q", "-F", "-t", "ext4", ext4.path)
            let disks = [
                try lab.disk("vda", 64 << 20), ext4, try lab.disk("vdc", 16 << 20), try lab.disk("vdd", 1 << 20),
                try lab.disk("vde", 8 << 20),
            ]
            var a = try lab.kernelA(
                "a", disks: disks, files: try Guest.program("/sbin/dmsetup"),
                """
                mkswap /dev/vdc >/dev/null 2>&1
                md5sum /dev/vd[a-e] >/tmp/before

                refuses "no such device" "there is no such device" hibernate --device /dev/vdz
                refuses "not a block device" "it is not a block device; name a" hibernate --device /dev/null
                refuses "format no block device" "it is not a block device" torpor format /dev/null
                refuses "not formatted" "it is not a hibernation partition; make it one with" hibernate --device /dev/vda
                refuses "none formatted" "there is none; make one with" hibernate
                refuses "too small" "use a partition of at least 4.0 MiB" torpor format /dev/vdd
                refuses "a file system" "it holds ext4; if that may be lost" torpor format /dev/vdb
                mount -t ext4 -o ro,noload /dev/vdb /mnt
                refuses "mounted" "it is mounted on /mnt" torpor format --force /dev/vdb
                umount /mnt
                refuses "swap" "it holds swap" torpor format /dev/vdc
                swapon /dev/vdc
                refuses "swap in use" "it is in use as swap" torpor format --force /dev/vdc
                swapoff /dev/vdc
                dmsetup create --noudevsync held --table "0 2048 linear /dev/vda 0" >/tmp/dmsetup 2>&1 ||
                    fail "dmsetup: $(cat /tmp/dmsetup)"
                refuses "held" "the block device dm-0 holds it" torpor format /dev/vda
                dmsetup remove --noudevsync held
                expect "nothing is changed" md5sum -c /tmp/before

                expect "format" torpor format /dev/vda
                expect "format the small one" torpor format /dev/vde
                # An unused hibernation partition holds no data.
                expect "formatted again" torpor format /dev/vda
                md5sum /dev/vd[a-e] >/tmp/before
                refuses "several" "there are several: /dev/vda, /dev/vde; name one with --device" hibernate
                refuses "small for the memory" "of memory are in use; use a larger" \\
                    hibernate --device /dev/vde --codec none
                export torpor_b="--device /dev/vda"
                refuses "no kernel" "No such file" hibernate --initrd /boot/rootfs.gz --kernel /boot/none
                refuses "no bzImage" "it is not a bzImage; choose one with --kernel" \\
                    hibernate --initrd /boot/rootfs.gz --kernel /bin/busybox
                # Clears the flag for the 64-bit entry in xloadflags.
                cp /boot/bzImage /tmp/bzImage32
                printf '\\0\\0' | dd of=/tmp/bzImage32 bs=1 seek=$((0x236)) conv=notrunc 2>/dev/null
                refuses "not 64-bit" "it has no 64-bit entry" hibernate --initrd /boot/rootfs.gz --kernel /tmp/bzImage32
                torpor_b="--device /dev/vda --kernel /boot/bzImage"
                refuses "no initrd" "No such file" hibernate --initrd /boot/none
                cp /boot/rootfs.gz /tmp/large
                truncate -s 400M /tmp/large
                refuses "large initrd" "it is larger than 256.0 MiB" hibernate --initrd /tmp/large
                truncate -s 100M /tmp/large
                torpor_b="$torpor_b --initrd /boot/rootfs.gz"
                refuses "odd N" "it is not a multiple of 64.0 MiB" hibernate --backup-end 100M
                refuses "large N" "the memory below it must be less than half of the machine's" hibernate --backup-end 1G
                refuses "small N" "use a larger --backup-end" hibernate --backup-end 64M --initrd /tmp/large
                refuses "not root" "only root may load a kernel; run this as root" \\
                    su -s /bin/sh nobody -c "torpor hibernate --device /dev/vda"
                torpor hibernate --codec lzma >/tmp/usage 2>&1
                [ $? = 2 ] && say "ok usage" || fail "usage: $(cat /tmp/usage)"
                expect "check" torpor check $torpor_b
                echo 1 >/proc/sys/kernel/kexec_load_disabled
                refuses "disabled" "kernel.kexec_load_disabled is set" hibernate
                refuses "check says so too" "kernel.kexec_load_disabled is set" torpor check $torpor_b
                expect "nothing is changed again" md5sum -c /tmp/before
                [ $(cat /sys/kernel/kexec_loaded) = 0 ] || fail "an image is loaded"
                """)
            a.timeout = 600
            try lab.run(a).expectDone()
        }

        @Test(.completeRunOnly) func refusesUnderLockdown() throws {
            let lab = try Lab("lockdown")
            var a = try lab.kernelA(
                "a", disks: [],
                """
                refuses lockdown "the kernel is locked down (none [integrity] confidentiality)" hibernate
                """)
            a.commandLine = "lockdown=integrity"
            try lab.run(a).expectDone()
        }

        /// Debian's kernel cannot come back from a jump.
        @Test func refusesOnAKernelWithoutKexecJump() throws {
            let lab = try Lab("no-kexec-jump")
            var a = try lab.kernelA("a", disks: [], "hibernate\n")
            a.kernel = Products.stockKernel
            let result = try lab.run(a)
            result.expectDone()
            result.expectConsole(
                "torpor: hibernate through a second kernel: the running kernel does not support KEXEC_PRESERVE_CONTEXT; "
                    + "boot one with CONFIG_KEXEC_JUMP")
        }

        /// As kernel B, Debian's kernel cannot jump back, as its configuration shows. With some parameters of the
        /// administrator, no kernel can.
        @Test func refusesAKernelBWithoutKexecJump() throws {
            let lab = try Lab("kernel-b-without-kexec-jump")
            // The field kernel_version of the setup header.
            let image = try Data(contentsOf: Products.stockKernel)
            let text = image[(0x200 + Int(image[0x20e]) + Int(image[0x20f]) << 8)...].prefix { $0 > 0x20 }
            let release = String(decoding: text, as: UTF8.self)
            let configuration = lab.folder.appending(path: "config")
            try Data(
                """
                CONFIG_KEXEC=y
                # CONFIG_KEXEC_JUMP is not set
                CONFIG_CRASH_DUMP=y
                CONFIG_PROC_VMCORE=y
                CONFIG_DEVMEM=y

                """.utf8
            ).write(to: configuration)
            let a = try lab.kernelA(
                "a", disks: [try lab.formattedDisk()],
                files: ["boot/stock": Products.stockKernel, "boot/config-\(release)": configuration],
                """
                [ -n "\(release)" ] || fail "the kernel has no release in its header"
                refuses jump "use kernel /boot/stock: it has no CONFIG_KEXEC_JUMP (/boot/config-\(release))" \\
                    torpor hibernate --kernel /boot/stock --initrd /boot/rootfs.gz
                for word in rdinit=/bin/sh lockdown=integrity kexec_jump_back_entry=0x1000 no5lvl; do
                    refuses $word "kernel B could not jump back into kernel A with it" hibernate --append "quiet $word"
                done
                [ $(cat /sys/kernel/kexec_loaded) = 0 ] || fail "an image is loaded"
                """)
            try lab.run(a).expectDone()
        }

        /// Without the configuration of kernel B, torpor hibernate cannot know. This kernel B has no disk drivers built in, and
        /// jumps back by a plain kexec, like kernel C.
        @Test(.completeRunOnly) func jumpsBackFromAKernelBWithoutKexecJump() throws {
            let lab = try Lab("back-without-kexec-jump")
            var a = try lab.kernelA(
                "a", disks: [try lab.formattedDisk(), try lab.disk("other", 16 << 20)],
                files: ["boot/stock": Products.stockKernel],
                """
                start_session
                refuses saving "it did not appear within 2 s" \\
                    torpor hibernate --kernel /boot/stock --initrd /boot/rootfs.gz --append torpor.wait=2
                echo "$output" | grep -q "cannot check whether /boot/stock can jump back" || fail "no warning: $output"
                expect_session /dev/vdb
                """)
            // This kernel has JUMP_LABEL, which this emulator does not run with several CPUs.
            a.cpus = 1
            try lab.run(a).expectDone()
        }

        /// With nothing to resume, a kernel C under lockdown boots the root file system: it has no kernel to unload.
        @Test(.completeRunOnly) func bootsTheRootFileSystemUnderLockdown() throws {
            let lab = try Lab("root-under-lockdown")
            let root = try lab.disk("root", 64 << 20)
            try Guest.makeRootFileSystem(on: root, "say running\n")
            var machine = Machine(name: "c", disks: [.init(image: root)], initrd: Products.rootfs)
            machine.commandLine = "quiet mem=128M lockdown=integrity torpor.fallback=root root=/dev/vda"
            let result = try lab.run(machine)
            result.expectConsole("torpor: nothing to resume")
            result.expectDone()
            #expect(result.verdict.contains("running"))
        }

        /// Kernel B does not find the device, or the device is full: kernel A continues and prints the reason.
        @Test(.completeRunOnly) func jumpsBackIfSavingFails() throws {
            let lab = try Lab("full")
            let a = try lab.kernelA(
                "a", disks: [try lab.disk("hibernation", 48 << 20)],
                """
                dd if=/dev/urandom of=/tmp/data bs=1M count=64 2>/dev/null
                md5sum /tmp/data >/tmp/sum
                expect format torpor format /dev/vda
                refuses "no device" "find /dev/none: it did not appear within 1 s" \\
                    hibernate --append "torpor.device=/dev/none torpor.wait=1"
                expect "the data are unchanged" md5sum -c /tmp/sum
                refuses full "the image does not fit into its 48.0 MiB; use a larger partition" hibernate
                expect data md5sum -c /tmp/sum
                torpor status --json >/tmp/status
                expect state grep -q '"state" : "failed"' /tmp/status
                expect reason grep -q "does not fit" /tmp/status
                # Freed pages may be saved with their contents.
                dd if=/dev/zero of=/tmp/data bs=1M count=64 conv=notrunc 2>/dev/null
                expect "another codec makes it fit" hibernate --after return --codec zstd:3
                expect verify torpor verify
                """)
            try lab.run(a).expectDone()
            try lab.run(lab.kernelC("c", like: a)).expectConsole("nothing to resume")
        }

        /// A pending image is a session: neither a new hibernation nor `format` overwrites it.
        @Test(.completeRunOnly) func keepsAPendingImage() throws {
            let lab = try Lab("waiting")
            let a = try lab.savedMachine()
            var other = try lab.kernelA(
                "other", disks: a.disks.map(\.image),
                """
                expect verify torpor verify
                refuses waiting "it holds a saved session, ready to resume; to drop that session: torpor discard" hibernate
                refuses format "a hibernation partition with a saved session, ready to resume" torpor format /dev/vda1
                expect discard torpor discard
                torpor status --json >/tmp/status
                expect state grep -q '"state" : "empty"' /tmp/status
                refuses "nothing to verify" "it holds no image" torpor verify
                """)
            other.memory = "512M"
            try lab.run(other).expectDone()
            try lab.run(lab.kernelC("c", like: a)).expectNoSession("nothing to resume: /dev/vda1 holds no image")
        }

        /// Kernel C refuses if it runs above N or on another machine than kernel A. The image can still be resumed.
        @Test(.completeRunOnly) func refusesTheWrongMachine() throws {
            let lab = try Lab("wrong-machine")
            let a = try lab.savedMachine()
            var c = lab.kernelC("no-mem", like: a)
            c.commandLine = ""
            try lab.run(c).expectConsole("boot with mem=128M")
            c = lab.kernelC("more-memory", like: a)
            c.memory = "640M"
            try lab.run(c).expectConsole("the machine's memory map has changed")
            c = lab.kernelC("four-levels", like: a)
            c.cpuFeatures = "la57=off"
            try lab.run(c).expectConsole(
                "it ran with 5-level page tables, but this kernel runs with 4-level page tables")
            try lab.run(lab.kernelC("right", like: a)).expectDone()
        }
    }
}
