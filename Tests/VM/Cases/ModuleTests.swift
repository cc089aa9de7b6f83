// SPDX-License-Identifier: Apache-2.0
import Foundation
import Machines
import Testing

extension MachineTests {
    /// Kernels whose disk drivers are modules.
    @Suite(.serialized, .enabled(if: Products.hasModules)) struct ModuleTests {
        /// A mounted file system on NVMe, the hibernation partition on AHCI. All kernels only load signed modules.
        @Test func resumesWithSignedModules() throws {
            let lab = try Lab("modules")
            let ext4 = try lab.disk("ext4", 64 << 20)
            try Tool.run("/sbin/mke2fs", "-q", "-F", "-t", "ext4", ext4.path)
            let root = try lab.disk("root", [.file(ext4)])
            var a = try lab.kernelA(
                "a",
                on: [
                    Machine.Disk(image: try lab.partitionedDisk(), bus: .ahci), Machine.Disk(image: root, bus: .nvme),
                    Machine.Disk(image: try lab.disk("other", 16 << 20), bus: .ahci),
                ],
                """
                expect "the driver of NVMe is a module" grep -q '^nvme ' /proc/modules
                expect "the driver of AHCI is a module" grep -q '^ahci ' /proc/modules
                expect "only signed modules are loaded" grep -q Y /sys/module/module/parameters/sig_enforce
                expect mount mount /dev/nvme0n1p1 /mnt
                start_session
                cp /tmp/data /mnt/data
                expect format torpor format /dev/sda1
                expect hibernate hibernate --append module.sig_enforce=1
                expect_session /dev/sdb
                expect "the file is unchanged" cmp /tmp/data /mnt/data
                cp /mnt/data /mnt/more
                expect "unmount" umount /mnt
                """)
            a.commandLine = "module.sig_enforce=1"
            try lab.run(a).expectConsole("torpor: powering off")
            try lab.run(lab.kernelC("c", like: a, "module.sig_enforce=1")).expectDone()
            try Tool.run("/sbin/e2fsck", "-fn", lab.partition(of: root).path)
        }
    }
}
