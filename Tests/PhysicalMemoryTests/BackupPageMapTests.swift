// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import PhysicalMemory

/// A kexec image's list of pages, as the kernel builds it (kernel/kexec_core.c, `kimage_add_entry`).
private struct ListFixture {
    static let ranges: [PhysicalRange] = [0x1000..<0x5000, 0x10_0000..<0x38_0000]
    /// Destination and source of every page, in order.
    var pairs: [(UInt64, UInt64)] = ranges.flatMap { stride(from: $0.lowerBound, to: $0.upperBound, by: 4096) }
        .enumerated()
        .map { ($1, 0x800_0000 + UInt64($0 * 7 % 644) * 4096) }
    var memory: [UInt64: [UInt8]] = [:]
    var controlPage = [UInt8](repeating: 0x90, count: 4096)

    /// Lays the list out on pages from `first` on, and its address into the control page.
    mutating func lay(at first: UInt64, controlOffset: Int, ends: Bool = true) {
        var entries: [UInt64] = []
        var expected: UInt64?
        for (destination, source) in pairs {
            if expected != destination { entries.append(destination | 1) }
            entries.append(source | 8)
            expected = destination + 4096
        }
        if ends { entries.append(4) }
        var page = first
        while !entries.isEmpty {
            var bytes = [UInt8](repeating: 0, count: 4096)
            let count = min(511, entries.count)
            for (i, entry) in entries.prefix(count).enumerated() { bytes.put(entry, at: i * 8) }
            entries.removeFirst(count)
            // The last entry of a full page leads to the next; a list without an end leads back to its first page.
            if !entries.isEmpty || !ends { bytes.put((entries.isEmpty ? first : page + 4096) | 2, at: count * 8) }
            memory[page] = bytes
            page += 4096
        }
        controlPage.put(first | 2, at: controlOffset)
    }

    func found() throws -> BackupPageMap {
        try BackupPageMap(controlPage: controlPage, backupRanges: Self.ranges) { (address) throws(Failure) in
            guard let page = memory[address] else {
                throw Failure("read", "0x\(hexadecimal(address))", "it is not there")
            }
            return page
        }
    }
}

@Suite struct BackupPageMapTests {
    @Test(arguments: [0, 0x558, 0x830, 4088])
    func findsTheListWhereverItIs(offset: Int) throws {
        var fixture = ListFixture()
        fixture.lay(at: 0x2000_0000, controlOffset: offset)
        #expect(fixture.memory.count == 2, "the list goes over more than a page")
        #expect(try fixture.found().sources == fixture.pairs.map { $0.1 / 4096 })
    }

    @Test func passesOverOtherWords() throws {
        var fixture = ListFixture()
        fixture.lay(at: 0x2000_0000, controlOffset: 0x830)
        fixture.controlPage.put(UInt64(2), at: 8)
        fixture.controlPage.put(UInt64(0x3000_0002), at: 16)
        fixture.memory[0x4000_0000] = [UInt8](repeating: 0, count: 4096)
        fixture.controlPage.put(UInt64(0x4000_0002), at: 24)
        // The same list named twice is still one.
        fixture.controlPage.put(UInt64(0x2000_0002), at: 32)
        #expect(try fixture.found().sources.count == 644)
    }

    private nonisolated(unsafe) static let mistakes: [(inout ListFixture) -> Void] = [
        { $0.pairs.swapAt(3, 4) }, { $0.pairs.removeLast() }, { $0.pairs.removeFirst() },
        { $0.pairs.append((0x38_0000, 0x900_0000)) }, { $0.pairs[10].0 += 4096 },
    ]

    @Test func refusesListsOfOtherPages() {
        for (number, change) in Self.mistakes.enumerated() {
            var fixture = ListFixture()
            change(&fixture)
            fixture.lay(at: 0x2000_0000, controlOffset: 0x830)
            #expect(throws: Failure.self, "mistake \(number)") { try fixture.found() }
        }
    }

    @Test func refusesTwoListsAndEndlessOnes() {
        var fixture = ListFixture()
        fixture.lay(at: 0x2000_0000, controlOffset: 0x830)
        fixture.pairs[5].1 = 0x900_0000
        fixture.lay(at: 0x3000_0000, controlOffset: 0x100)
        #expect(throws: Failure.self) { try fixture.found() }
        var endless = ListFixture()
        endless.pairs = []
        endless.memory[0x2000_0000] = [UInt8](repeating: 0, count: 4096)
        endless.memory[0x2000_0000]?.put(UInt64(0x2000_0002), at: 0)
        endless.controlPage.put(UInt64(0x2000_0002), at: 0)
        #expect(throws: Failure.self) { try endless.found() }
    }

    @Test func tellsWhereAnAddressIsInTheImage() throws {
        let ranges: [PhysicalRange] = [0x1000..<0x3000, 0x10_0000..<0x10_1000]
        let map = BackupPageMap(sources: [100, 200, 300])
        let table: [(UInt64, UInt64?)] = [
            (0x1000, 100 * 4096), (0x2abc, 200 * 4096 + 0xabc), (0x10_0fff, 300 * 4096 + 0xfff), (0x3000, 0x3000),
            (0, 0),
            (0x800_0000, 0x800_0000),
        ]
        for (address, expected) in table { #expect(map.location(of: address, backupRanges: ranges) == expected) }
        #expect(BackupPageMap(sources: []).location(of: 0x1000, backupRanges: ranges) == nil)
    }
}
