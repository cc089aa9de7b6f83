// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import PhysicalMemory

/// Lists of backed-up pages written entry by entry, with the flags of <linux/kexec.h>.
@Suite struct BackupListTests {
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

    @Test func followsDestinationsThatAreToldAgain() throws {
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
    @Test func doesNotReadBehindAPage() {
        let full = [0x10_0000 | Self.destination] + (0..<511).map { (0x4000_0000 + $0 * 4096) | Self.source }
        #expect(throws: Failure.self) { try sources([0x10_0000..<0x10_0000 + 600 * 4096], [full]) }
    }

    /// Two pages that lead to each other, without a page in between that could tell that they are wrong.
    @Test func endsWhereAListGoesInCircles() {
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
}
