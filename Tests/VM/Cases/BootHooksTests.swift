// SPDX-License-Identifier: Apache-2.0
import Foundation
import Machines
import MemoryImage
import Testing

extension MachineTests {
    /// Ordinary starts of a distribution: Debian's own kernel, which is older than kernel A and has no KEXEC_JUMP, with an
    /// initramfs that initramfs-tools or dracut builds with Torpor's hook. All disk drivers are modules in it.
    @Suite(.serialized, .enabled(if: getuid() == 0, "the Debian tree needs chroot(2)")) struct BootHooksTests {
        /// The first partition of the first disk of a lab.
        private static let partition = "PARTUUID=00000000-0000-4000-9000-000100000001"

        /// Builds an initramfs in a Debian tree.
        private func initramfs(_ builder: String, _ lab: Lab, _ device: String = partition) throws -> URL {
            let stock = Products.stockKernel.path
            let release = try String(contentsOfFile: stock + ".release", encoding: .utf8)
                .trimmingCharacters(in: .whitespacesAndNewlines)
            let output = lab.folder.appending(path: "\(builder).initrd")
            try Tool.run(
                Products.makeSystem.path, builder, output.path, "--modules-from", stock + ".root", "--kernel-version",
                release,
                "--device", device, "--program", Products.initProgram.path)
            return output
        }

        /// A saved session, and the machine after power-on, which starts as its distribution does.
        private func machines(_ builder: String, _ lab: Lab) throws -> (a: Machine, ordinary: Machine) {
            let root = try lab.disk("root", 64 << 20)
            try Guest.makeRootFileSystem(on: root, "say root")
            let a = try lab.savedMachine(others: [root])
            var c = a
            c.kernel = Products.stockKernel
            c.initrd = try initramfs(builder, lab)
            // One CPU runs: this emulator lets a kernel with CONFIG_JUMP_LABEL crash now and then if it patches its code while
            // another CPU runs it.
            c.commandLine = "root=/dev/vdb rw maxcpus=1 systemd.show_status=0 net.ifnames=0"
            return (a, c)
        }

        private func start(
            _ name: String, _ machine: Machine, _ lab: Lab, _ commandLine: String = ""
        ) throws -> Machine.Result {
            var c = machine
            c.name = name
            c.commandLine += " " + commandLine
            return try lab.run(c)
        }

        /// The session first, then starts without one. The root file system is mounted only behind the hook.
        @Test(arguments: isComplete ? ["initramfs-tools", "dracut", "dracut-init"] : ["initramfs-tools"]) func resumes(
            builder: String
        ) throws {
            let lab = try Lab("boot-\(builder)")
            let (a, c) = try machines(builder, lab)
            // Not wanted: the session stays.
            let unwanted = try start("noresume", c, lab, "noresume")
            #expect(unwanted.verdict == ["root", "done"])
            #expect(try lab.superblock(a).state == .ready)
            let resumed = try start("c", c, lab)
            resumed.expectSession()
            #expect(!resumed.verdict.contains("root"), "the root file system was mounted")
            #expect(try lab.superblock(a).state == .consumed)
            let next = try start("next", c, lab)
            #expect(next.verdict == ["root", "done"])
            #expect(!next.console.contains("torpor: "), "an ordinary start is not silent")
        }

        /// A partition that never appears holds the machine up only for as long as the distribution waits for a resume device.
        @Test(.completeRunOnly) func startsWithoutTheDevice() throws {
            let lab = try Lab("boot-missing")
            let root = try lab.disk("root", 64 << 20)
            try Guest.makeRootFileSystem(on: root, "say root $(cut -d . -f 1 /proc/uptime)")
            var c = Machine(
                name: "missing", disks: [Machine.Disk(image: root)],
                initrd: try initramfs("initramfs-tools", lab, "PARTUUID=00000000-0000-4000-9000-000900000009"))
            c.kernel = Products.stockKernel
            c.memory = "512M"
            c.commandLine = "root=/dev/vda rw maxcpus=1"
            let result = try lab.run(c)
            let seconds = try #require(result.verdicts("root").first.flatMap { Int($0) })
            // initramfs-tools waits until 30 s of the boot are over.
            #expect((30..<60).contains(seconds), "\(seconds) s")
        }
    }
}
