// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import Hibernation

@Suite struct ModuleListTests {
    private static let text = """
        kernel 6.12.107-torpor-test
        /lib/modules/6.12.107-torpor-test/kernel/drivers/nvme/host/nvme-core.ko default_ps_max_latency_us=0 multipath=N
        /lib/modules/6.12.107-torpor-test/kernel/drivers/nvme/host/nvme.ko

        """

    @Test func readsWhatMkinitramfsWrites() throws {
        let list = try ModuleList(Self.text)
        #expect(list.release == "6.12.107-torpor-test")
        #expect(list.modules.map(\.name) == ["nvme_core", "nvme"])
        #expect(list.modules.map(\.options) == ["default_ps_max_latency_us=0 multipath=N", ""])
        #expect(list.modules[1].path == "/lib/modules/6.12.107-torpor-test/kernel/drivers/nvme/host/nvme.ko")
    }

    @Test(arguments: [
        "", "\n", "kernel \n", "6.12\n/a.ko\n", "kernel 6.12\nnvme.ko\n",
        "kernel 6.12\n" + String(repeating: "/a.ko\n", count: 513),
    ]) func refusesOtherTexts(text: String) {
        let failure = #expect(throws: Failure.self) { try ModuleList(text) }
        #expect(failure?.description.contains("is malformed; build rootfs.gz again with mkinitramfs.sh") == true)
    }

    @Test func refusesModulesOfAnotherKernel() throws {
        let list = try ModuleList(Self.text)
        try list.require(kernel: "6.12.107-torpor-test", path: "rootfs.gz")
        let failure = #expect(throws: Failure.self) { try list.require(kernel: "6.12.10", path: "rootfs.gz") }
        #expect(
            failure?.description
                == "load the modules of rootfs.gz: they are for the kernel 6.12.107-torpor-test, and this kernel is 6.12.10; "
                + "build it again with: mkinitramfs.sh --kernel-version 6.12.10")
        // A rootfs.gz without modules fits every kernel.
        try ModuleList.none.require(kernel: "6.12.10", path: "rootfs.gz")
    }

    /// The failure names the first module that was refused, and the ones behind it are tried.
    @Test func namesTheModuleThatFails() throws {
        let list = try ModuleList("kernel 1\n/nowhere/first.ko\n/nowhere/second.ko\n")
        var beats = 0
        let failure = #expect(throws: Failure.self) { try list.load { beats += 1 } }
        #expect(failure?.operand == "/nowhere/first.ko")
        #expect(beats == 2)
    }
}
