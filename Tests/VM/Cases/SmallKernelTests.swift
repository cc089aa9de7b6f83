// SPDX-License-Identifier: Apache-2.0
import Foundation
import Machines
import Testing

extension MachineTests {
    /// The small kernel of `make kernel`, which is not the kernel of the session, as kernels B and C.
    @Suite(.serialized, .enabled(if: Products.hasSmallKernel)) struct SmallKernelTests {
        /// - Parameter disks: the hibernation partition is on the first one.
        private func expectCycle(
            _ lab: Lab, on disks: [Machine.Disk], format partition: String, other disk: String,
            _ change: (inout Machine) -> Void
        ) throws {
            // Its drivers are built in, so it gets the rootfs.gz without modules.
            var a = try lab.kernelA(
                "a", on: disks,
                files: ["boot/vmlinuz-torpor": Products.smallKernel, "boot/small.gz": Products.rootfs],
                """
                torpor_b="--kernel /boot/vmlinuz-torpor --initrd /boot/small.gz"
                start_session
                expect format torpor format \(partition)
                expect return hibernate --after return
                expect_session \(disk)
                expect hibernate hibernate
                expect_session \(disk)
                """)
            change(&a)
            try lab.run(a).expectConsole("torpor: powering off")
            var c = lab.kernelC("c", like: a)
            c.kernel = Products.smallKernel
            c.initrd = Products.rootfs
            let result = try lab.run(c)
            result.expectDone()
        }

        @Test func resumesWithUEFIAndNVMeAndAHCI() throws {
            let lab = try Lab("small-uefi")
            let disks = [
                Machine.Disk(image: try lab.partitionedDisk(), bus: .ahci),
                Machine.Disk(image: try lab.disk("other", 16 << 20), bus: .nvme),
            ]
            try expectCycle(lab, on: disks, format: "/dev/sda1", other: "/dev/nvme0n1") {
                $0.firmware = .uefi
                $0.timeout = 600
            }
        }

        @Test(.completeRunOnly) func resumesWithFourLevelPagingAndManyProcessors() throws {
            let lab = try Lab("small-bios")
            let disks = [
                Machine.Disk(image: try lab.partitionedDisk()), Machine.Disk(image: try lab.disk("other", 16 << 20)),
            ]
            try expectCycle(lab, on: disks, format: "/dev/vda1", other: "/dev/vdb") {
                $0.cpuFeatures = "la57=off"
                $0.cpus = 8
                $0.devices = ["i6300esb"]
            }
        }

        /// An ordinary start of a kernel of another build than kernel A's, with the small kernel on the partition.
        @Test func resumesInAnOrdinaryStart() throws {
            let lab = try Lab("small-ordinary")
            var a = try lab.kernelA(
                "a", disks: [try lab.partitionedDisk()], files: ["boot/vmlinuz-torpor": Products.smallKernel],
                """
                dd if=/dev/urandom of=/tmp/data bs=1M count=16 2>/dev/null
                md5sum /tmp/data >/tmp/sum
                uname -r >/tmp/release
                expect format torpor format /dev/vda1
                expect hibernate hibernate --kernel /boot/vmlinuz-torpor
                expect "the data are unchanged" md5sum -c /tmp/sum
                expect "kernel A runs" sh -c 'uname -r | cmp - /tmp/release'
                """)
            a.memory = "512M"
            try lab.run(a).expectConsole("torpor: powering off")
            var c = try ordinary("c", like: a, lab)
            c.kernel = Products.smallKernel
            let result = try lab.run(c)
            result.expectConsole("starting kernel C, which resumes the session")
            result.expectSession()
        }
    }
}
