// SPDX-License-Identifier: Apache-2.0
import Basics
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
    @Test func expectsASilentBalloon() throws {
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
        #expect(!MemoryTakers.hasUncountedBalloon(system.folders), "it gives back all before the jump")
        try system.write("sys/bus/vmbus/devices/x/class_id", "{525074dc-8985-46e2-8057-a307dc18a502}\n")
        #expect(!MemoryTakers.hasUncountedBalloon(system.folders), "no driver")
        try system.make("sys/module/hv_balloon")
        #expect(MemoryTakers.hasUncountedBalloon(system.folders))
    }
}
