// SPDX-License-Identifier: Apache-2.0
import Foundation
import Machines
import Testing

extension MachineTests {
    /// Kernels A and C are started by a boot loader from the disk, as on a real machine: kernel C by an entry that is selected
    /// for one start.
    @Suite(.serialized) struct BootFromDiskTests {
        private struct Setup {
            let lab: Lab
            let disk: BootDisk
            let machine: Machine
        }

        /// The disks' names in kernel A.
        private struct Devices {
            var boot: String
            var hibernation: String
            var other: String
            /// A mounted file system; nil if the system has none.
            var root: String?
        }

        /// - Parameters:
        ///   - isOnModules: whether the boot loader's disk, with a root file system, is an NVMe disk, and the hibernation
        ///     partition is on an AHCI disk. If not, both are on one virtio disk.
        ///   - before: commands between the installation of the entry and the hibernation.
        ///   - direct: the option for a direct start.
        private func setUp(
            _ loader: BootDisk.Loader, _ name: String, isOnModules: Bool = false, before: String = "",
            direct: String = "--direct-start"
        ) throws -> Setup {
            let lab = try Lab("boot-\(name)")
            let devices =
                isOnModules
                ? Devices(boot: "/dev/nvme0n1p1", hibernation: "/dev/sda1", other: "/dev/sdb", root: "/dev/nvme0n1p2")
                : Devices(boot: loader.bootPartition, hibernation: loader.hibernationPartition, other: "/dev/vdb")
            let other = Machine.Disk(image: try lab.disk("other", 16 << 20), bus: isOnModules ? .ahci : .virtio)
            var others = [other]
            if isOnModules { others.insert(Machine.Disk(image: try lab.partitionedDisk(), bus: .ahci), at: 0) }
            let mount =
                loader == .systemdBoot
                ? "mkdir /efi && mount -t vfat \(devices.boot) /efi && mount -t efivarfs efivarfs /sys/firmware/efi/efivars"
                : "mount -t ext4 \(devices.boot) /boot"
            let folder = loader == .systemdBoot ? "/efi" : "/boot"
            let initrd = try Guest.initrd(
                """
                # The boot partition hides these.
                cp -r /boot /kernels
                torpor_b="--kernel /kernels/bzImage --initrd /kernels/rootfs.gz"
                mkdir -p /boot /etc/grub.d
                # Drivers look for their disks in the background.
                until [ -e \(devices.boot) ] && [ -e \(devices.hibernation) ] && [ -e \(devices.other) ]; do sleep 0.1; done
                \(mount) || fail mount
                # At an ordinary start, the session is gone.
                if [ -e \(folder)/started ]; then say ordinary; say done; poweroff -f; fi
                touch \(folder)/started
                start_session
                \(devices.root.map { "expect root mount -t ext4 \($0) /mnt; cp /tmp/data /mnt/data" } ?? "")
                expect format torpor format \(devices.hibernation)
                expect install torpor boot-entry --install $torpor_b
                [ ! -d /boot/grub ] || sh /etc/grub.d/42_torpor >>/boot/grub/grub.cfg
                \(before)
                sync
                expect hibernate hibernate \(direct)
                say woke
                expect_session \(devices.other)
                \(devices.root == nil ? "" : "expect 'the root works' sh -c 'cmp /tmp/data /mnt/data && umount /mnt'")
                # The boot loader has cleared the selection, and this system sees that.
                if [ -d /boot/grub ]; then
                    expect "nothing is selected" sh -c '! grep next_entry=torpor /boot/grub/grubenv'
                else
                    expect "nothing is selected" sh -c '! ls /sys/firmware/efi/efivars | grep OneShot'
                fi
                expect "the boot partition works" sh -c 'echo more >\(folder)/more && sync && umount \(folder)'
                """, disks: others, in: lab.folder, name: "a")
            var last = PartitionedDisk.Content.empty(512 << 20)
            if isOnModules {
                let root = try lab.disk("root", 192 << 20)
                try Tool.run("/sbin/mke2fs", "-q", "-F", "-t", "ext4", root.path)
                last = .file(root)
            }
            let disk = try BootDisk(loader, in: lab, initrd: initrd, last: last)
            var machine = disk.machine("first")
            if isOnModules { machine.disks[0].bus = .nvme }
            machine.disks += others
            machine.timeout = 600
            return Setup(lab: lab, disk: disk, machine: machine)
        }

        private func run(_ setup: Setup, _ name: String, _ change: (inout Machine) -> Void = { _ in }) throws
            -> Machine.Result
        {
            var machine = setup.machine
            machine.name = name
            change(&machine)
            return try setup.lab.run(machine)
        }

        private func expectSaved(_ result: Machine.Result) {
            #expect(result.verdicts("FAILED") == [])
            #expect(!result.verdict.contains("woke"), "the machine did not power off")
            result.expectConsole("torpor: powering off")
        }

        /// Kernel A started anew. The firmware writes to the port of the verdict, too.
        private func expectOrdinary(_ result: Machine.Result) {
            #expect(result.verdict.suffix(2) == ["ordinary", "done"])
            #expect(!result.verdict.contains("woke"), "the session was resumed")
        }

        @Test(arguments: isComplete ? BootDisk.Loader.allCases : [.grubUEFI])
        func resumesThroughTheEntryAndThenStartsAsUsual(loader: BootDisk.Loader) throws {
            let setup = try setUp(loader, loader.rawValue)
            expectSaved(try run(setup, "first"))
            if loader != .systemdBoot {
                #expect(try setup.disk.text("/grub/grubenv").contains("\nnext_entry=torpor\n"))
            }
            let resumed = try run(setup, "second")
            resumed.expectConsole("jumping into kernel A")
            #expect(resumed.verdict.contains("woke"))
            #expect(!resumed.verdict.contains("ordinary"), "kernel A started anew")
            resumed.expectDone()
            try expectOrdinary(run(setup, "third"))
        }

        /// The boot loader and the root file system are on an NVMe disk, the hibernation partition on an AHCI disk. The drivers
        /// are modules in all kernels.
        @Test(.completeRunOnly, .enabled(if: Products.hasModules))
        func resumesWithTheSystemOnNVMeAndThePartitionOnAHCI() throws {
            let setup = try setUp(.systemdBoot, "nvme-ahci", isOnModules: true)
            expectSaved(try run(setup, "first"))
            let resumed = try run(setup, "second")
            resumed.expectConsole("jumping into kernel A")
            #expect(resumed.verdict.contains("ok the root works"))
            #expect(!resumed.verdict.contains("ordinary"), "kernel A started anew")
            resumed.expectDone()
            try expectOrdinary(run(setup, "third"))
        }

        /// Kernel C refuses the session on a machine with less memory, and restarts it; the entry was selected for one start.
        @Test(.completeRunOnly, arguments: [BootDisk.Loader.systemdBoot, .grubBIOS])
        func startsAsUsualAfterARefusal(loader: BootDisk.Loader) throws {
            let setup = try setUp(loader, "refusal-\(loader.rawValue)")
            expectSaved(try run(setup, "first"))
            let refused = try run(setup, "second") { $0.memory = "768M" }
            refused.expectConsole("reboot: Restarting system")
            #expect(!refused.console.contains("jumping into kernel A"))
            #expect(!refused.verdict.contains("ordinary") && !refused.verdict.contains("woke"))
            try expectOrdinary(run(setup, "third"))
        }

        /// Kernel B jumps back, so kernel A takes the selection back. An entry that no longer fits is never selected.
        @Test(.completeRunOnly) func takesTheSelectionBackIfKernelBFails() throws {
            let setup = try setUp(
                .grubBIOS, "back",
                before: """
                    refuses fault "the step pages: torpor.fault= made it fail" \\
                        hibernate --direct-start --append torpor.fault=pages:error
                    expect "the selection is gone" sh -c '! grep next_entry=torpor /boot/grub/grubenv'
                    refuses parameters "kernel C now needs these parameters" hibernate --direct-start --backup-end 192M
                    expect "nothing is selected" sh -c '! grep next_entry=torpor /boot/grub/grubenv'
                    echo >>/boot/torpor/rootfs.gz
                    refuses files "rootfs.gz is not the same as" hibernate --direct-start
                    expect reinstall torpor boot-entry --install $torpor_b
                    """, direct: "")
            expectSaved(try run(setup, "first"))
            // The session is still there, and the start is an ordinary one.
            try expectOrdinary(run(setup, "second"))
        }
    }
}
