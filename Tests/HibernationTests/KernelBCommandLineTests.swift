// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import Linux
import MemoryImage
import Testing

@testable import Hibernation

@Suite struct KernelBCommandLineTests {
    private static let session = UUID("01234567-89ab-4cde-8f01-23456789abcd") ?? .zero
    private static let report = Report.Place(address: 0x1234_5000, key: (0..<32).map { UInt8($0 * 7 % 256) })

    /// Kernel B reads what kernel A writes, whatever the values are.
    @Test(
        arguments: [
            (.powerOff, .lz4, []),
            (.reboot, .zstd(level: 3), [WatchdogHandover(number: 0, seconds: 60, parent: "misc")]),
            (
                .return, .xz(level: 1),
                [
                    WatchdogHandover(number: 1, seconds: 120, parent: "iTCO_wdt.1.auto", identity: "i6300ESB timer"),
                    WatchdogHandover(number: 2, seconds: 45, parent: ""),
                ]
            ), (.powerOff, .none, []),
        ] as [(AfterSave, Codec, [WatchdogHandover])])
    func kernelBReadsWhatKernelAWrites(after: AfterSave, codec: Codec, watchdogs: [WatchdogHandover]) {
        let line = KernelBCommandLine(
            device: .uuid("abcd"), session: Self.session, report: Self.report, after: after, codec: codec,
            watchdogs: watchdogs, backupEnd: 128 << 20, own: KernelCommandLine("root=/dev/x quiet torpor.wait=9"))
        let read = KernelParameters(KernelCommandLine(line.text + " kexec_jump_back_entry=0x123456"))
        #expect(read.problems == [])
        #expect(read.device == .uuid("abcd") && read.session == Self.session && read.reportPage == Self.report)
        #expect(read.after == after && read.codec == codec && read.watchdogs == watchdogs)
        #expect(read.jumpBackEntry == 0x123456 && !read.isDebugging && !read.isResumeForbidden)
        // Kernel A's own parameters are not kernel B's.
        #expect(read.waitSeconds == KernelParameters.namedDeviceSeconds && read.fallback == .powerOff)
    }

    @Test(arguments: [false, true]) func saysWhetherItIsARehearsal(isRehearsal: Bool) {
        let line = KernelBCommandLine(
            device: .uuid("abcd"), session: Self.session, report: Self.report, isRehearsal: isRehearsal,
            backupEnd: 128 << 20)
        #expect(KernelParameters(KernelCommandLine(line.text)).isRehearsal == isRehearsal)
    }

    /// The administrator's parameters come last, where the kernel and /init let them count.
    @Test func takesTheAdministratorsParametersLast() {
        var line = KernelBCommandLine(
            device: .uuid("abcd"), session: Self.session, report: Self.report, backupEnd: 128 << 20)
        #expect(KernelCommandLine(line.text).parameters.last == "quiet")
        line.additional = "torpor.codec=xz torpor.debug torpor.fault=pages:kill"
        let words = KernelCommandLine(line.text)
        let read = KernelParameters(words)
        #expect(!words.contains("quiet") && read.isDebugging && read.fault == Fault("pages:kill"))
        #expect(read.codec == (try? Codec(parsing: "xz")))
    }
}
