// SPDX-License-Identifier: Apache-2.0
import Machines
import Testing

extension MachineTests {
    /// What kernel A knows of itself and of kernel B before it tries anything.
    @Suite(.serialized) struct Surveys {
        /// Kernel B has disks and their partitions, and nothing that a program of kernel A makes of them.
        @Test func refusesAPartitionThatKernelBWillNotHave() throws {
            let lab = try Lab("layers")
            var a = try lab.kernelA(
                "a", disks: [try lab.disk("vda", 128 << 20)], files: try Guest.program("/sbin/dmsetup"),
                """
                dmsetup create --noudevsync layer --table "0 131072 linear /dev/vda 2048" || fail dmsetup
                expect "format dm" torpor format /dev/dm-0
                refuses "the device mapper" "it lies on the device-mapper device layer" \\
                    torpor check --device /dev/dm-0 $torpor_b
                refuses "hibernate says so too" "it lies on the device-mapper device layer" hibernate --device /dev/dm-0
                dmsetup remove --noudevsync layer
                truncate -s 64M /tmp/file
                losetup /dev/loop0 /tmp/file || fail losetup
                expect "format loop" torpor format /dev/loop0
                refuses "a loop device" "it lies on a loop device" torpor check --device /dev/loop0 $torpor_b
                expect "nothing is loaded" grep -q 0 /sys/kernel/kexec_loaded
                """)
            a.memory = "512M"
            try lab.run(a).expectDone()
        }

        /// The kernel counts each load and unload of a kernel; what only asks does not use the number up.
        @Test func onlyAJumpUsesUpLoads() throws {
            let lab = try Lab("load-limit")
            var a = try lab.kernelA(
                "a", disks: [try lab.formattedDisk(), try lab.disk("other", 16 << 20)],
                """
                start_session
                echo 2 >/proc/sys/kernel/kexec_load_limit_reboot
                expect check torpor check $torpor_b
                expect "check again" torpor check $torpor_b
                expect "two are enough" hibernate --after return
                expect_session /dev/vdb
                refuses "none is left" "kernel.kexec_load_limit_reboot" hibernate
                refuses "check says so too" "kernel.kexec_load_limit_reboot" torpor check $torpor_b
                """)
            a.memory = "512M"
            try lab.run(a).expectDone()
        }

        /// The kernel's own hibernation is forbidden: drivers would not be told to prepare.
        @Test func refusesIfTheKernelMayNotHibernate() throws {
            let lab = try Lab("nohibernate")
            var a = try lab.kernelA(
                "a", disks: [try lab.formattedDisk()],
                """
                refuses hibernate "nohibernate" hibernate
                refuses check "nohibernate" torpor check $torpor_b
                """)
            a.memory = "512M"
            a.commandLine = "nohibernate"
            try lab.run(a).expectDone()
        }
    }
}
