// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Testing

@testable import PhysicalMemory

@Suite struct MemoryMapTests {
    private static let table = """
        00000000-00000fff : Reserved
        00001000-0009fbff : System RAM
        000f0000-000fffff : Reserved
          000f0000-000fffff : System ROM
        00100000-3ffdffff : System RAM
          01000000-01a01a40 : Kernel code
          04000000-07ffffff : System RAM
        3ffe0000-3fffffff : Reserved
        fd000000-fdffffff : 0000:00:02.0
          fd000000-fdffffff : virtio : modern
        100000000-17fffffff : System RAM

        """

    @Test func readsLinesWithTheirNesting() throws {
        let entries = try parseIOMemory(Self.table)
        #expect(entries.count == 11)
        #expect(entries[5] == IOMemoryEntry(addresses: 0x100_0000..<0x1a0_1a41, name: "Kernel code", depth: 1))
        #expect(entries[9].name == "virtio : modern")
        #expect(systemMemory(entries) == [0x1000..<0x9f000, 0x10_0000..<0x3ffe_0000, 0x1_0000_0000..<0x1_8000_0000])
    }

    @Test(arguments: [
        "x", "1000-0fff : System RAM", "1000 : System RAM", "1000-2000 System RAM", "1000-20g0 : System RAM",
        "0-ffffffffffffffff : System RAM", "0-10000000000000000 : System RAM", "- : x",
    ])
    func refusesMalformedLines(text: String) { #expect(throws: Failure.self) { try parseIOMemory(text) } }

    @Test func refusesHiddenAddresses() {
        let failure = #expect(throws: Failure.self) {
            try parseIOMemory("00000000-00000000 : Reserved\n00000000-00000000 : System RAM\n")
        }
        #expect(failure?.description == "read /proc/iomem: all its addresses are zero; run this as root")
    }

    @Test func readsTheFirmwaresMap() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        #expect(try readFirmwareMemoryMap(folder.path) == nil)
        func add(_ name: String, _ start: String, _ end: String, _ type: String) throws {
            let entry = folder.appending(path: name)
            try FileManager.default.createDirectory(at: entry, withIntermediateDirectories: true)
            for (file, value) in [("start", start), ("end", end), ("type", type)] {
                try Data("\(value)\n".utf8).write(to: entry.appending(path: file))
            }
        }
        try add("10", "0x0", "0x9fbff", "System RAM")
        try add("2", "0x100000", "0x3fffffff", "System RAM")
        try add("0", "0x9fc00", "0x9ffff", "Reserved")
        #expect(
            try readFirmwareMemoryMap(folder.path) == [
                FirmwareRange(addresses: 0..<0x9fc00, type: "System RAM"),
                FirmwareRange(addresses: 0x9fc00..<0xa0000, type: "Reserved"),
                FirmwareRange(addresses: 0x10_0000..<0x4000_0000, type: "System RAM"),
            ])
        try add("3", "0x5", "0x4", "Reserved")
        #expect(throws: Failure.self) { try readFirmwareMemoryMap(folder.path) }
    }

    /// What a user without rights sees keeps its names and its nesting.
    @Test(arguments: ["", "00000000-00000000 : Reserved\n  00000000-00000000 : System ROM\n"])
    func namesTheRemedyIfAddressesAreHidden(text: String) {
        let failure = #expect(throws: Failure.self) { try parseIOMemory(text) }
        #expect(failure?.remedy == "run this as root")
    }

    @Test func takesWholePagesOfMemoryOnly() throws {
        let entries = try parseIOMemory(
            """
            00000800-000017ff : System RAM
            00001800-000027ff : System RAM
            00005001-00005fff : System RAM
            00006000-00006fff : System RAM (kmem)
            00007000-00007fff : system ram
            00008000-00009fff : Persistent Memory
              00008000-00009fff : System RAM
            """)
        // Two lines share the page at 0x1000: every byte of it is memory. What drivers added is memory too.
        #expect(systemMemory(entries) == [0x1000..<0x2000, 0x6000..<0x7000, 0x8000..<0xa000])
        #expect(entries.filter { $0.isDriverMemory }.map { $0.addresses } == [0x6000..<0x7000])
    }

    @Test func removesPluggedMemoryFromTheFirmwareMap() {
        func range(_ addresses: PhysicalRange, _ type: String = "System RAM") -> FirmwareRange {
            FirmwareRange(addresses: addresses, type: type)
        }
        let map = [
            range(0..<0x1000), range(0x1000..<0x2000, "Reserved"), range(0x4000..<0x6000), range(0x6000..<0x8000),
        ]
        #expect(map.without([]) == [map[0], map[1], range(0x4000..<0x8000)])
        #expect(map.without([0x6000..<0x8000]) == Array(map.prefix(3)))
        #expect(map.without([0x5000..<0x7000]) == [map[0], map[1], range(0x4000..<0x5000), range(0x7000..<0x8000)])
        #expect(map.without([0..<0x8000]) == [])
    }
}
