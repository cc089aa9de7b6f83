// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import MemoryImage
import PhysicalMemory
import Testing

@testable import Hibernation

@Suite struct KernelParametersTests {
    private func parameters(_ text: String) -> KernelParameters { KernelParameters(KernelCommandLine(text)) }

    @Test func hasDefaults() {
        let none = parameters("quiet console=ttyS0")
        #expect(none.device == nil && none.session == nil && none.jumpBackEntry == nil && none.problems == [])
        #expect(none.after == .powerOff && none.codec == .standard && none.fallback == .powerOff)
        #expect(!none.isDebugging && !none.isResumeForbidden)
        #expect(parameters("root=/dev/sda2").fallback == .root)
        #expect(parameters("torpor.device=/dev/x").waitSeconds > none.waitSeconds)
    }

    @Test func readsEveryParameter() {
        let all = parameters(
            "torpor.device=LABEL=nap torpor.session=01234567-89ab-4cde-8f01-23456789abcd torpor.after=return "
                + "torpor.codec=xz:3 torpor.wait=7 torpor.fallback=shell torpor.debug noresume "
                + "torpor.fault=page-map:trap torpor.retry torpor.report=0x2000:\(String(repeating: "0a", count: 32)) "
                + "kexec_jump_back_entry=0x00000000123456ab")
        #expect(all.device == .label("nap"))
        #expect(all.session?.description == "01234567-89ab-4cde-8f01-23456789abcd")
        #expect(all.after == .return && all.codec == .xz(level: 3) && all.waitSeconds == 7 && all.fallback == .shell)
        #expect(all.fault?.step == .pageMap && all.fault?.kind == .trap && all.isRetrying)
        #expect(all.reportPage == Report.Place(address: 0x2000, key: [UInt8](repeating: 10, count: 32)))
        #expect(all.isDebugging && all.isResumeForbidden && all.jumpBackEntry == 0x1234_56ab && all.problems == [])
    }

    /// A disk that kernel A used was there, so it may take its time, whatever the partition is called.
    @Test(arguments: [
        ("", 2, 30), ("torpor.device=/dev/x", 30, 30), ("torpor.wait=5", 5, 5), ("torpor.wait=90", 90, 90),
        ("torpor.wait=x", 2, 30),
    ])
    func waitsForWatchedDevices(words: String, partition: Int, watched: Int) {
        #expect(parameters(words).waitSeconds == partition)
        #expect(parameters(words).watchedDeviceSeconds == watched)
    }

    @Test(arguments: [
        "torpor.device=sda", "torpor.session=x", "torpor.after=sleep", "torpor.codec=lzma", "torpor.wait=-1",
        "torpor.wait=86401", "torpor.fallback=", "torpor.wait=18446744073709551615", "torpor.fault=pages",
        "torpor.fault=pages:", "torpor.fault=nothing:kill", "torpor.report=0x2000", "torpor.report=0x2001:00",
        "torpor.report=0x2001:\(String(repeating: "00", count: 32))",
        "torpor.report=0x2000:\(String(repeating: "0g", count: 32))",
        "torpor.report=0x8000000000000000:\(String(repeating: "00", count: 32))",
    ])
    func reportsUnreadableParameters(word: String) {
        let result = parameters("root=x \(word)")
        #expect(result.problems.count == 1)
        #expect(
            result.after == .powerOff && result.codec == .standard && result.fallback == .root && result.session == nil)
    }

    @Test(
        arguments: [
            ("kexec_jump_back_entry=0x0000000000000000", nil), ("kexec_jump_back_entry=junk", nil),
            ("kexec_jump_back_entry=0x5 kexec_jump_back_entry=0x6", 6),
            ("kexec_jump_back_entry=0x5 kexec_jump_back_entry=0x0", 5),
        ] as [(String, UInt64?)])
    func takesOnlyARealEntry(text: String, entry: UInt64?) { #expect(parameters(text).jumpBackEntry == entry) }

    /// Words that only look like ours, and ours more than once.
    @Test func takesWholeParametersOnly() {
        let parameters = KernelParameters(
            KernelCommandLine(
                "torpor.devicex=/dev/a xtorpor.device=/dev/b torpor.debugging noresumed torpor.wait=5 torpor.wait=6 "
                    + "torpor.after=reboot torpor.after=poweroff rootwait torpor.debug=1"))
        #expect(parameters.device == nil && parameters.waitSeconds == 6 && parameters.after == .powerOff)
        #expect(!parameters.isDebugging && !parameters.isResumeForbidden && parameters.problems == [])
        #expect(parameters.fallback == .powerOff, "root= is not there")
    }

    @Test(
        arguments: [
            ("torpor.fallback=root", .root), ("torpor.fallback=poweroff root=/dev/x", .powerOff),
            ("torpor.fallback=reboot", .reboot), ("torpor.fallback=shell", .shell), ("root=", .root),
        ] as [(String, Fallback)])
    func choosesTheFallback(text: String, expected: Fallback) {
        #expect(KernelParameters(KernelCommandLine(text)).fallback == expected)
    }
}
