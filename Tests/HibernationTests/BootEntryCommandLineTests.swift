// SPDX-License-Identifier: Apache-2.0
import Linux
import Testing

@testable import Hibernation

@Suite struct BootEntryCommandLineTests {
    private static let parametersForC = [
        "torpor.device=UUID=1", "mem=128M", "initcall_blacklist=virtio_balloon_driver_init",
    ]

    private func parameters(_ own: String, _ additional: String = "") -> [String] {
        BootEntryCommandLine(
            parametersForC: Self.parametersForC, own: KernelCommandLine(own), additional: KernelCommandLine(additional)
        ).parameters
    }

    @Test func takesConsolesAndHardwareFromTheRunningKernel() {
        #expect(
            parameters(
                "BOOT_IMAGE=/v root=/dev/sda2 ro mem=4G nr_cpus=8 console=tty0 console=ttyS0,115200n8 tsx=on "
                    + "pci=nomsi")
                == ["console=tty0", "console=ttyS0,115200n8", "pci=nomsi"] + Self.parametersForC
                + ["panic=10", "quiet", "torpor.fallback=reboot"])
    }

    @Test func letsTheAdministratorDecide() {
        let plain = Self.parametersForC + ["panic=10"]
        #expect(
            parameters("", "torpor.fallback=shell torpor.refused=ask")
                == plain + ["quiet", "torpor.fallback=shell", "torpor.refused=ask"])
        #expect(parameters("", "torpor.debug") == plain + ["torpor.fallback=reboot", "torpor.debug"])
    }

    @Test func quotesValuesWithWhiteSpaceInTheText() {
        let line = BootEntryCommandLine(
            parametersForC: ["mem=128M"], own: KernelCommandLine("usbcore.quirks=\"1 2\""),
            additional: KernelCommandLine("a=\"b c\""))
        #expect(line.parameters.first == "usbcore.quirks=1 2" && line.parameters.last == "a=b c")
        #expect(line.text == "usbcore.quirks=\"1 2\" mem=128M panic=10 quiet torpor.fallback=reboot a=\"b c\"")
    }

    @Test(arguments: [
        ("torpor.device=UUID=1 mem=128M quiet", true),
        // Another value, a second one, a missing one, one too many.
        ("torpor.device=UUID=1 mem=192M", false), ("torpor.device=UUID=1 mem=128M mem=192M", false),
        ("torpor.device=UUID=2 mem=128M", false), ("torpor.device=UUID=1", false),
        ("torpor.device=UUID=1 mem=128M no5lvl", false), ("torpor.device=UUID=1 mem=128M nr_cpus=2", false),
        ("torpor.device=UUID=1 mem=128M tsx=off", false), ("", false),
    ]) func comparesWhatKernelCNeeds(entry: String, isCovered: Bool) {
        let entry = KernelCommandLine(entry).parameters
        #expect(BootEntryCommandLine.covers(entry, ["torpor.device=UUID=1", "mem=128M"]) == isCovered)
    }

    @Test func comparesAllOfThem() {
        let wanted = ["mem=128M", "no5lvl", "initcall_blacklist=a"]
        #expect(
            BootEntryCommandLine.covers(["initcall_blacklist=b", "initcall_blacklist=a", "no5lvl", "mem=128M"], wanted))
        #expect(!BootEntryCommandLine.covers(["initcall_blacklist=b", "no5lvl", "mem=128M"], wanted))
        #expect(!BootEntryCommandLine.covers(["initcall_blacklist=a", "mem=128M"], wanted))
    }
}
