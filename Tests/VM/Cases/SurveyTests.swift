// SPDX-License-Identifier: Apache-2.0
import Machines
import Testing

extension MachineTests {
    /// The checks of kernel A about itself and kernel B, before it loads anything.
    @Suite(.serialized) struct SurveyTests {
        /// Kernel B has disks and their partitions, but no devices that programs of kernel A have set up.
        @Test func refusesAPartitionOnAVirtualDevice() throws {
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

        /// The kernel counts each load and unload of a kernel. A check does not count.
        @Test(.completeRunOnly) func checksDoNotCountAsLoads() throws {
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

        /// The kernel does not allow its own hibernation, so drivers would not prepare.
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
