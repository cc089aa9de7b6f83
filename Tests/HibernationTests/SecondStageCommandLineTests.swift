// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import Testing

@testable import Hibernation

@Suite struct SecondStageCommandLineTests {
    private static let kept = "torpor.device=UUID=01234567-89ab-4cde-8f01-23456789abcd mem=128M nvme_core.multipath=N"

    private func text(_ own: String) -> String {
        SecondStageCommandLine(parameters: Self.kept, own: KernelCommandLine(own)).text
    }

    private func parameters(_ own: String) -> KernelParameters { KernelParameters(KernelCommandLine(text(own))) }

    @Test func tellsKernelCThatItsStartIsOrdinary() {
        let read = parameters("root=UUID=abcd ro quiet")
        #expect(read.isOrdinaryStart && read.device == .uuid("01234567-89ab-4cde-8f01-23456789abcd"))
        #expect(read.fallback == .reboot && read.problems.isEmpty)
        #expect(read.refusalPolicy.canBootRoot && read.refusalPolicy.canGoOn)
        #expect(!KernelParameters(KernelCommandLine("mem=128M")).isOrdinaryStart)
    }

    @Test func passesOnConsolesAndPolicies() {
        let line = text(
            "console=tty0 console=ttyS0,115200 root=/dev/x rw loglevel=4 torpor.refused=ask torpor.ask=9 torpor.debug "
                + "\"torpor.wait=7\" init=/x")
        #expect(line.hasPrefix(Self.kept + " torpor.ordinary "))
        for word in ["console=tty0 console=ttyS0,115200", "torpor.refused=ask torpor.ask=9 torpor.debug torpor.wait=7"]
        {
            #expect(line.contains(word), "\(word) is not in \(line)")
        }
        for word in ["root=", "init=", " rw", "quiet"] { #expect(!line.contains(word), "\(word) is in \(line)") }
        let read = parameters("torpor.refused=ask torpor.ask=9")
        #expect(read.refusalPolicy.choice == .ask && read.refusalPolicy.askSeconds == 9)
    }

    /// What kernel A kept goes before what the ordinary start says, and kernel B's parameters never make kernel C one.
    @Test(arguments: [
        "torpor.device=/dev/sdz", "torpor.session=01234567-89ab-4cde-8f01-23456789abcd", "torpor.fallback=shell",
        "torpor.report=1:00", "torpor.after=return", "torpor.ordinary",
    ]) func leavesOutOtherRoles(word: String) {
        #expect(text("quiet \(word)") == text("quiet"))
    }

    @Test func passesFaultsOnToTheirKernel() {
        #expect(parameters("torpor.fault=fingerprints:error").fault?.step == .fingerprints)
        #expect(parameters("torpor.fault=boot-files:error").fault == nil)
        #expect(parameters("torpor.fault=partition:kill").fault == nil)
    }
}
