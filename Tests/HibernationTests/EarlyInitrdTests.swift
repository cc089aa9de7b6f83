// SPDX-License-Identifier: Apache-2.0
import Basics
import Fixtures
import Linux
import Testing

@testable import Hibernation

@Suite struct EarlyInitrdTests {
    private static let intel = "kernel/x86/microcode/GenuineIntel.bin"
    private var trailer: [UInt8] { archiveEntry("TRAILER!!!", []) + [UInt8](repeating: 0, count: 512) }
    private let compressed: [UInt8] = [0x1f, 0x8b, 8, 0]

    @Test func findsTheFilesThatTheKernelFinds() {
        let nothing = EarlyInitrd()
        #expect(EarlyInitrd([]) == nothing && EarlyInitrd(compressed) == nothing)
        let microcode = archiveEntry("kernel", [], mode: 0o040755) + archiveEntry(Self.intel, [1, 2, 3])
        #expect(EarlyInitrd(microcode + trailer + compressed) == EarlyInitrd(microcode: [.intel]))
        #expect(EarlyInitrd(archiveEntry("kernel/x86/microcode/AuthenticAMD.bin", [1])).microcode == [.amd])
        // Archives one behind the other, with zeros between them, as boot loaders put them together.
        let tables = archiveEntry("kernel/firmware/acpi/dsdt.aml", [9, 9], magic: "070702") + trailer
        #expect(
            EarlyInitrd(microcode + trailer + tables + compressed)
                == EarlyInitrd(microcode: [.intel], hasACPITables: true))
        #expect(EarlyInitrd(tables) == EarlyInitrd(hasACPITables: true))
    }

    @Test func findsTheListOfModules() throws {
        let text = "kernel 6.12.1\n/lib/modules/6.12.1/kernel/nvme.ko\n"
        let list =
            archiveEntry("etc", [], mode: 0o040755) + archiveEntry("etc/torpor/modules", Array(text.utf8)) + trailer
        let microcode = archiveEntry(Self.intel, [1, 2, 3]) + trailer
        for initrd in [list + compressed, microcode + list + compressed] {
            #expect(try EarlyInitrd(initrd).modules(path: "x") == ModuleList(text))
        }
        #expect(try EarlyInitrd(microcode + compressed).modules(path: "x") == .none)
        let malformed = EarlyInitrd(archiveEntry("etc/torpor/modules", Array("nvme".utf8)) + trailer)
        #expect(throws: Failure.self) { try malformed.modules(path: "x") }
        let large = EarlyInitrd(archiveEntry("etc/torpor/modules", [UInt8](repeating: 10, count: 65537)) + trailer)
        #expect(throws: Failure.self) { try large.modules(path: "x") }
    }

    @Test func skipsFilesThatTheKernelIgnores() {
        for bytes in [
            // Behind the compressed part, in a directory of the name, under another name, empty.
            compressed + archiveEntry(Self.intel, [1]), archiveEntry(Self.intel, [], mode: 0o040755),
            archiveEntry("./" + Self.intel, [1]),
            archiveEntry(Self.intel + "2", [1]), archiveEntry(Self.intel, []),
            archiveEntry(Self.intel, [1], magic: "070707"),
        ] { #expect(EarlyInitrd(bytes) == EarlyInitrd()) }
    }

    /// Sizes that lead beyond the end, and every cut.
    @Test func survivesMalformedArchives() {
        let whole = archiveEntry(Self.intel, [UInt8](repeating: 7, count: 100))
        for count in 0..<whole.count { #expect(EarlyInitrd(Array(whole.prefix(count))) == EarlyInitrd()) }
        for i in 6..<110 {
            var bytes = whole
            for digit in ["F", "z", "0"] {
                bytes[i] = Array(digit.utf8)[0]
                _ = EarlyInitrd(bytes)
            }
        }
    }

    private func findings(
        _ lines: [String], taint: UInt64 = 0, _ initrd: EarlyInitrd = EarlyInitrd(), maker: ProcessorMaker? = .intel
    ) -> Findings {
        var messages = KernelMessages()
        for (number, line) in lines.enumerated() { messages.add(record: "6,\(number),123,-;\(line)") }
        var findings = Findings()
        findEarlyLoads(initrd, messages, taint: taint, maker: maker, &findings)
        return findings
    }

    @Test(arguments: [
        "microcode: Updated early from: 0x00000f0", "microcode: updated early: 0xe2 -> 0xf0, date = 2021-11-12",
        "microcode: microcode updated early to revision 0x3a, date = 2017-01-30",
        "microcode: microcode updated early to new patch_level=0x0700010f",
    ])
    func warnsOfMicrocodeThatKernelCWouldLack(line: String) {
        let found = findings(["Linux version 6.12", line])
        #expect(found.warnings.count == 1 && found.notes.isEmpty)
        #expect(found.warnings.first?.remedy?.contains("--microcode") == true)
        #expect(findings([line], EarlyInitrd(microcode: [.intel])).all.isEmpty)
        #expect(findings([line], EarlyInitrd(hasACPITables: true)).warnings.count == 1)
    }

    /// One initrd is made for all processors, another for one maker's.
    @Test func microcodeOfTheOtherMakerIsNone() {
        let line = "microcode: Updated early from: 0x00000f0"
        let amd = EarlyInitrd(microcode: [.amd]), both = EarlyInitrd(microcode: [.amd, .intel])
        let found = findings([line], amd)
        #expect(found.warnings.first?.description.contains("rootfs.gz has none for GenuineIntel") == true)
        #expect(findings([line], amd, maker: .amd).all.isEmpty && findings([line], both).all.isEmpty)
        #expect(findings([line], EarlyInitrd(microcode: [.intel]), maker: .amd).warnings.count == 1)
        #expect(findings([line], amd, maker: nil).all.isEmpty && findings([line], maker: nil).warnings.count == 1)
        for maker in ProcessorMaker.allCases {
            let text = "processor\t: 0\nvendor_id\t: \(maker.rawValue)\ncpu family\t: 6\n"
            #expect(ProcessorMaker(cpuInfo: text) == maker)
        }
        for text in ["", "vendor_id\t: CentaurHauls\nvendor_id\t: GenuineIntel\n", "vendor_id", "vendor_id\t:"] {
            #expect(ProcessorMaker(cpuInfo: text) == nil)
        }
    }

    /// Kernel C does not write to /sys/devices/system/cpu/microcode/reload.
    @Test func warnsOfMicrocodeThatWasLoadedLate() {
        let line = "microcode: load: updated on 4 primary CPUs with 4 siblings"
        for initrd in [EarlyInitrd(), EarlyInitrd(microcode: [.intel])] {
            let found = findings([line, "microcode: revision: 0xf0 -> 0xf4"], initrd)
            #expect(found.warnings.count == 1 && found.warnings.first?.description.contains("late") == true)
        }
    }

    @Test(
        arguments: [
            ("ACPI: Table Upgrade: override [DSDT-BOCHS -BXPC    ]", 0),
            ("ACPI: Table Upgrade: install [SSDT-X -Y]", 0),
            ("ACPI: Override [DSDT-BXPC    ], this is unsafe: tainting kernel", 1 << 8), ("x", 1 << 8 | 1),
        ] as [(String, UInt64)])
    func warnsOfACPITablesThatKernelCWouldLack(line: String, taint: UInt64) {
        let found = findings([line], taint: taint)
        #expect(found.warnings.count == 1 && found.notes.isEmpty)
        #expect(found.warnings.first?.remedy?.contains("--acpi-tables") == true)
        #expect(findings([line], taint: taint, EarlyInitrd(hasACPITables: true)).all.isEmpty)
    }

    @Test func saysNothingOfAnOrdinaryBoot() {
        #expect(
            findings(["microcode: Current revision: 0x000000f0", "ACPI: Interpreter enabled"], taint: 1 << 12).all
                .isEmpty)
    }

    /// A log that has lost its beginning proves nothing, and what programs write into it neither.
    @Test func reportsALogWithoutItsBeginning() {
        var messages = KernelMessages()
        messages.add(record: "6,4711,1,-;late")
        messages.add(record: "14,4712,2,-;microcode: Updated early from: 0x1")
        for record in ["", ";", "6;x", "x,1,2,-;y"] { messages.add(record: record) }
        #expect(messages.texts == ["late"] && !messages.isComplete)
        var findings = Findings()
        findEarlyLoads(EarlyInitrd(), messages, taint: 0, maker: .intel, &findings)
        #expect(findings.warnings.isEmpty && findings.notes.count == 1)
        findings = Findings()
        findEarlyLoads(
            EarlyInitrd(microcode: [.intel], hasACPITables: true), messages, taint: 0, maker: .intel, &findings)
        #expect(findings.all.isEmpty)
    }

    @Test func takesTheFirstLineOfARecord() {
        var messages = KernelMessages()
        messages.add(record: "5,0,0,-,caller=T0;Linux; version\n SUBSYSTEM=x\n")
        #expect(messages.texts == ["Linux; version"] && messages.isComplete)
    }
}
