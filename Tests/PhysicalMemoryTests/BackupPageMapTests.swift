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
    func findsTheListAtAnyOffset(offset: Int) throws {
        var fixture = ListFixture()
        fixture.lay(at: 0x2000_0000, controlOffset: offset)
        #expect(fixture.memory.count == 2, "the list goes over more than a page")
        #expect(try fixture.found().sources == fixture.pairs.map { $0.1 / 4096 })
    }

    @Test func skipsOtherWords() throws {
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

    @Test func translatesAddressesIntoTheImage() throws {
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

    // MARK: Lists written entry by entry, with the flags of <linux/kexec.h>

    private static let destination: UInt64 = 1, link: UInt64 = 2, done: UInt64 = 4, source: UInt64 = 8
    private static let list: UInt64 = 0x2000_0000

    /// Follows a list that lies on the given pages, the first of them named by the control page.
    private func sources(_ ranges: [PhysicalRange], _ pages: [[UInt64]]) throws -> [UInt64] {
        var memory: [UInt64: [UInt8]] = [:]
        for (number, entries) in pages.enumerated() {
            var bytes = [UInt8](repeating: 0, count: 4096)
            for (i, entry) in entries.enumerated() { bytes.put(entry, at: i * 8) }
            memory[Self.list + UInt64(number) * 4096] = bytes
        }
        var control = [UInt8](repeating: 0, count: 4096)
        control.put(Self.list | Self.link, at: 0x100)
        return try BackupPageMap(controlPage: control, backupRanges: ranges) { (address) throws(Failure) in
            guard let page = memory[address] else { throw Failure("read", "a page", "it is not there") }
            return page
        }.sources
    }

    @Test func followsRepeatedDestinations() throws {
        // kexec_load(2) was given one range in two segments: the second begins where the first ended.
        let entries = [
            0x1000 | Self.destination, 0x50_0000 | Self.source, 0x2000 | Self.destination, 0x60_0000 | Self.source,
            0x70_0000 | Self.source, Self.done,
        ]
        #expect(try sources([0x1000..<0x4000], [entries]) == [0x500, 0x600, 0x700])
    }

    @Test func followsAListOverManyPages() throws {
        let count: UInt64 = 5000
        var pages: [[UInt64]] = []
        var entries: [UInt64] = [0x10_0000 | Self.destination]
        for i in 0..<count {
            if entries.count == 511 {
                entries.append(Self.list + UInt64(pages.count + 1) * 4096 | Self.link)
                pages.append(entries)
                entries = []
            }
            entries.append((0x4000_0000 + i * 8192) | Self.source)
        }
        pages.append(entries + [Self.done])
        #expect(pages.count > 9)
        let range: PhysicalRange = 0x10_0000..<0x10_0000 + count * 4096
        #expect(try sources([range], pages) == (0..<count).map { 0x4_0000 + $0 * 2 })
        // One page short of it, or one page more, is another list's.
        #expect(throws: Failure.self) { try sources([range.lowerBound..<range.upperBound - 4096], pages) }
        #expect(throws: Failure.self) { try sources([range.lowerBound..<range.upperBound + 4096], pages) }
    }

    private static let twoPages: [PhysicalRange] = [0x1000..<0x3000]

    @Test(
        arguments: [
            // No destination first; the pages the wrong way round; a range left out; a page twice.
            [0x50_0000 | source, done],
            [0x2000 | destination, 0x50_0000 | source, 0x1000 | destination, 0x60_0000 | source, done],
            [0x2000 | destination, 0x50_0000 | source, done],
            [0x1000 | destination, 0x50_0000 | source, 0x1000 | destination, 0x60_0000 | source, done],
            // Nothing, the end missing, a word with two flags, one with none, one with a flag of no meaning.
            [done], [0x1000 | destination, 0x50_0000 | source, 0x60_0000 | source],
            [0x1000 | destination, 0x50_0000 | source | destination, 0x60_0000 | source, done],
            [0x1000 | destination, 0x50_0000 | source, 0x60_0000, done],
            [0x1000 | destination, 0x50_0000 | source, 0x60_0000 | 16, done],
            // A link to a page that is not there.
            [0x1000 | destination, 0x50_0000 | source, 0x7000_0000 | link],
            // A destination at the end of all addresses.
            [(UInt64.max & ~4095) | destination, 0x50_0000 | source, 0x60_0000 | source, done],
        ] as [[UInt64]])
    func refusesOtherLists(entries: [UInt64]) {
        #expect(throws: Failure.self) { try sources(Self.twoPages, [entries]) }
    }

    /// A page of the list that is full, without a link at its end.
    @Test func doesNotReadBeyondAPage() {
        let full = [0x10_0000 | Self.destination] + (0..<511).map { (0x4000_0000 + $0 * 4096) | Self.source }
        #expect(throws: Failure.self) { try sources([0x10_0000..<0x10_0000 + 600 * 4096], [full]) }
    }

    /// Two pages that lead to each other, without a page in between that could tell that they are wrong.
    @Test func refusesACircularList() {
        #expect(throws: Failure.self) {
            try sources(Self.twoPages, [[Self.list + 4096 | Self.link], [Self.list | Self.link]])
        }
    }

    @Test func findsNothingInAControlPageWithoutAList() {
        for control in [[], [1, 2, 3], [UInt8](repeating: 0x90, count: 4096), [UInt8](repeating: 0, count: 4096)] {
            #expect(throws: Failure.self) {
                try BackupPageMap(controlPage: control, backupRanges: Self.twoPages) { (_) throws(Failure) in
                    [UInt8](repeating: 0, count: 4096)
                }
            }
        }
    }

    // MARK: Numbers whose sums and products would trap if they were not checked, and end the test program

    @Test func locationRefusesAFrameBeyondPhysicalMemory() {
        #expect(BackupPageMap(sources: [.max]).location(of: 0x1000, backupRanges: [0x1000..<0x2000]) == nil)
    }

    @Test func pageMapRefusesABackupRangeOfAllMemory() {
        var control = [UInt8](repeating: 0, count: 4096)
        control.put(UInt64(0x2002), at: 0)
        #expect(throws: Failure.self) {
            try BackupPageMap(controlPage: control, backupRanges: [0..<1 << 52]) { (_) throws(Failure) in
                [UInt8](repeating: 0, count: 4096)
            }
        }
    }
}
