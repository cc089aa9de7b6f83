// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import MemoryImage
import PhysicalMemory
import Testing

@testable import Hibernation

@Suite struct SettingsTests {
    private func parameters(_ text: String) -> KernelParameters { KernelParameters(KernelCommandLine(text)) }

    @Test func hasStandardValues() {
        let none = parameters("quiet console=ttyS0")
        #expect(none.device == nil && none.session == nil && none.jumpBackEntry == nil && none.problems == [])
        #expect(none.after == .powerOff && none.codec == .standard && none.fallback == .powerOff)
        #expect(!none.isDebugging && !none.isResumeForbidden)
        #expect(parameters("root=/dev/sda2").fallback == .root)
        #expect(parameters("torpor.device=/dev/x").waitSeconds > none.waitSeconds)
    }

    @Test func readsEveryWord() {
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
    func tellsWhatItCannotRead(word: String) {
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
}

@Suite struct ChecksTests {
    /// Checksums that are right do not make what is not memory kernel A's.
    @Test(
        arguments: [
            ([0x1000..<0x9f000], true), ([0x1000..<0x9f000, 0x9f000..<0xa0000], false),
            ([0xfee0_0000..<0xfee0_1000], false),
            ([0..<1 << 52], false), ([], true),
        ] as [([PhysicalRange], Bool)])
    func refusesWhatIsNoMemory(ranges: [PhysicalRange], isAllowed: Bool) {
        let map = description().machine.firmwareMap.map { FirmwareRange(addresses: $0.addresses, type: $0.type) }
        #expect(((try? requireMemory(ranges, in: map)) != nil) == isAllowed)
    }

    private func description() -> ImageDescription {
        var description = ImageDescription()
        description.backupRanges = [0x1000..<0x9f000, 0x10_0000..<0x800_0000]
        description.machine.firmwareMap = [
            .init(addresses: 0..<0x9fc00, type: "System RAM"), .init(addresses: 0x9fc00..<0xa0000, type: "Reserved"),
        ]
        return description
    }

    @Test func theFirmwaresMapMustBeTheSame() throws {
        let machine = description().machine
        let same = [
            FirmwareRange(addresses: 0..<0x9fc00, type: "System RAM"),
            FirmwareRange(addresses: 0x9fc00..<0xa0000, type: "Reserved"),
        ]
        try machine.requireFirmwareMap(same)
        var others = [same.dropLast(), same + same]
        for change: (inout FirmwareRange) -> Void in [
            { $0.addresses = 1..<0x9fc00 }, { $0.addresses = 0..<0x9fc01 }, { $0.type = "Reserved" },
        ] {
            var other = same
            change(&other[0])
            others.append(other)
        }
        for other in others { #expect(throws: Failure.self) { try machine.requireFirmwareMap(Array(other)) } }
    }

    @Test(arguments: [
        ("flags\t\t: fpu la57 sse\n", true), ("flags\t\t: fpu la57\n", true), ("flags\t\t: fpu sse la570\n", false),
        ("bugs : la57\n", false), ("", false),
    ])
    func seesFiveLevelPaging(text: String, expected: Bool) {
        #expect((processorFlags(inLine: text) ?? []).contains("la57") == expected)
    }

    @Test(
        arguments: [
            (64 << 20, true), (128 << 20, true), (0, false), (100 << 20, false), (576 << 20, false), (1 << 40, false),
        ] as [(UInt64, Bool)])
    func backupEndMustFit(end: UInt64, isRight: Bool) {
        let memory: [PhysicalRange] = [0x1000..<0x9f000, 0x10_0000..<0x3fff_0000]
        let failure: Failure?
        do throws(Failure) {
            try KernelSurvey.check(backupEnd: end, memory)
            failure = nil
        } catch { failure = error }
        #expect((failure == nil) == isRight, "\(failure?.description ?? "")")
        if let failure { #expect(failure.remedy != nil) }
    }

    @Test func findsACPIsRootTable() {
        var parameters = [UInt8](repeating: 0, count: 4096)
        #expect(KernelSurvey.findRSDP(parameters, systab: "") == 0)
        #expect(KernelSurvey.findRSDP([], systab: "ACPI=0x10\nACPI20=0x20\nSMBIOS=0x30\n") == 0x20)
        #expect(KernelSurvey.findRSDP(parameters, systab: "ACPI=0x10\n") == 0x10)
        parameters.put(UInt64(0x40), at: 0x70)
        #expect(KernelSurvey.findRSDP(parameters, systab: "ACPI20=0x20\n") == 0x40)
    }

    @Test func anImageThatWaitsIsNotWrittenOver() {
        var superblock = Superblock(uuid: .zero, label: "", deviceByteCount: 1)
        for state: Superblock.State in [.empty, .saving, .ready, .attempted, .consumed, .failed, .snapshot] {
            superblock.state = state
            let isRefused = (try? requireNoPendingImage(superblock, "/dev/x")) == nil
            #expect(isRefused == (state == .ready || state == .attempted), "\(state)")
        }
    }
}
