// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Linux
import PhysicalMemory
import Testing

@testable import Hibernation

/// Memory that must not be read, as kernel A knows of it.
@Suite struct UnreadableMemoryTests {
    private static let info = VMCoreInfo(
        Array(
            """
            OFFSET(page.flags)=0
            NUMBER(PG_hwpoison)=21
            NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)=-251658240
            NUMBER(PAGE_UNACCEPTED_MAPCOUNT_VALUE)=-150994944
            """.utf8))

    private func without(_ key: String) -> VMCoreInfo {
        let keys = [
            "OFFSET(page.flags)", "NUMBER(PG_hwpoison)", "NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)",
            "NUMBER(PAGE_UNACCEPTED_MAPCOUNT_VALUE)",
        ]
        let lines = keys.filter { $0 != key }.map { "\($0)=\(Self.info.text($0) ?? "")" }
        return VMCoreInfo(Array(lines.joined(separator: "\n").utf8))
    }

    @Test(
        arguments: [
            ("MemTotal: 100 kB\n", 0),
            ("HardwareCorrupted:     8 kB\nBalloon:   100 kB\nUnaccepted:      4096 kB\n", 1051),
            ("HardwareCorrupted:     0 kB\n", 0), ("Balloon:   18446744073709551615 kB\n", 0),
        ] as [(String, UInt64)])
    func countsItsPages(table: String, pages: UInt64) {
        #expect(UnreadableMemory(memoryInformation: table).pages == pages)
    }

    /// Each kind needs its own marks, and only if there is such memory.
    @Test(
        arguments: [
            ("HardwareCorrupted", "NUMBER(PG_hwpoison)"), ("HardwareCorrupted", "OFFSET(page.flags)"),
            ("Balloon", "NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)"),
            ("Unaccepted", "NUMBER(PAGE_UNACCEPTED_MAPCOUNT_VALUE)"),
        ])
    func needsItsMarks(line: String, mark: String) throws {
        let some = UnreadableMemory(memoryInformation: "\(line):  8 kB\n")
        try some.requireMarks(Self.info)
        try UnreadableMemory(memoryInformation: "\(line):  0 kB\n").requireMarks(without(mark))
        let failure = #expect(throws: Failure.self) { try some.requireMarks(without(mark)) }
        #expect(failure?.reason.contains(mark) == true && failure?.reason.contains(line) == true)
    }

    /// A kernel before 6.16 has no line for balloons, and drivers that do not empty theirs for the jump.
    @Test func expectsABalloonThatNoLineTellsOf() throws {
        let mark = "NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)"
        let silent = UnreadableMemory(memoryInformation: "MemTotal: 100 kB\n", hasBalloonDriver: true)
        #expect(silent.isPossible)
        try silent.requireMarks(Self.info)
        let failure = #expect(throws: Failure.self) { try silent.requireMarks(without(mark)) }
        #expect(failure?.reason.contains(mark) == true && failure?.reason.contains("balloon") == true)
        let empty = UnreadableMemory(memoryInformation: "Balloon:  0 kB\n", hasBalloonDriver: true)
        #expect(!empty.isPossible)
        try empty.requireMarks(without(mark))

        let system = try FakeSystem()
        try system.write("sys/bus/virtio/devices/virtio1/device", "0x0005\n")
        try system.make("sys/module/virtio_balloon")
        #expect(!MemoryTakers.hasSilentBalloon(system.folders), "it gives back all before the jump")
        try system.write("sys/bus/vmbus/devices/x/class_id", "{525074dc-8985-46e2-8057-a307dc18a502}\n")
        #expect(!MemoryTakers.hasSilentBalloon(system.folders), "no driver")
        try system.make("sys/module/hv_balloon")
        #expect(MemoryTakers.hasSilentBalloon(system.folders))
    }

    /// AMD's mask is 0 if nothing is encrypted.
    @Test(
        arguments: [
            (MachineTables.vmcoreInfoWithSME, [], false), (MachineTables.vmcoreInfoOfFedora, ["fpu"], true),
            ("", [], true),
            (MachineTables.vmcoreInfoOfFedora, ["fpu", "tdx_guest"], false),
            ("NUMBER(sme_mask)=140737488355328", [], false),
        ] as [(String, [String], Bool)])
    func refusesEncryptedMemory(info: String, flags: [String], isPlain: Bool) {
        let info = VMCoreInfo(Array(info.utf8))
        let isTaken = (try? KernelSurvey.requirePlainMemory(info, cpuFlags: flags)) != nil
        #expect(isTaken == isPlain)
    }

    /// A page below N is swapped by kernel A itself.
    @Test func refusesUnreadablePagesBelowN() throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        func flags(_ values: [Int: UInt64]) throws {
            var bytes = [UInt8](repeating: 0, count: 64 * 8)
            for (frame, value) in values { bytes.put(value, at: frame * 8) }
            try Data(bytes).write(to: URL(filePath: path))
        }
        func refusal(_ bits: UInt64 = 1 << 19) -> String? {
            do throws(Failure) {
                try requireReadablePages([0x1000..<0x10000, 0x20000..<0x40000], path, unreadableBits: bits)
                return nil
            } catch { return error.reason }
        }
        #expect(refusal()?.contains("it cannot be seen whether it is below N") == true)
        // Frames outside the ranges, and other flags.
        try flags([0: 1 << 19, 0x10: 1 << 19, 0x1f: 1 << 19, 3: ~(1 << 19)])
        #expect(refusal() == nil)
        try flags([0x3f: 1 << 19])
        #expect(refusal()?.contains("the page at 0x3f000 must not be read") == true)
        try flags([1: 1 << 23])
        #expect(refusal() == nil && refusal(1 << 19 | 1 << 23)?.contains("0x1000") == true)
    }
}
