// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import Kexec

@Suite struct IdentityMapTests {
    private static let gibibyte: UInt64 = 1 << 30

    /// Walks the tables as the CPU does (Intel SDM, volume 3, chapter 4); nil where nothing is mapped.
    private func walk(
        _ map: IdentityMap, at base: UInt64, levels: Int, _ pages: IdentityMap.Pages, _ address: UInt64
    ) throws -> UInt64? {
        var table = levels == 5 ? map.root5 : map.root4
        for level in stride(from: levels, through: 2, by: -1) {
            let index = Int(address >> UInt64(12 + 9 * (level - 1)) & 511)
            let entry: UInt64 = try map.bytes.field(at: Int(table - base) + index * 8)
            guard entry & 1 == 1 else { return nil }
            #expect(entry & 2 == 2, "not writable")
            if entry & 0x80 != 0, level == 3 {
                #expect(pages == .gibibyte, "this processor has no such pages")
                return entry & 0x000f_ffff_c000_0000 + address & 0x3fff_ffff
            }
            if entry & 0x80 != 0 {
                #expect(level == 2)
                return entry & 0x000f_ffff_ffe0_0000 + address & 0x1f_ffff
            }
            table = entry & 0x000f_ffff_ffff_f000
        }
        return nil
    }

    private static let sizes: [(IdentityMap.Pages, UInt64)] =
        [1, 2, 6, 513, 700].flatMap { [(.mebibytes2, $0), (.gibibyte, $0)] } + [(.gibibyte, 64 << 10)]

    @Test(arguments: sizes, [4, 5])
    func mapsEveryAddressToItself(_ size: (pages: IdentityMap.Pages, gibibytes: UInt64), levels: Int) throws {
        let (pages, gibibytes) = size
        let end = gibibytes * Self.gibibyte - 4096
        let base: UInt64 = 0x40_0000
        let map = try IdentityMap(end: end, address: base, pages)
        let pageCount = try IdentityMap.pageCount(end: end, pages)
        #expect(UInt64(map.bytes.count) == pageCount * 4096)
        // The local APIC's GiB, its neighbours, and the ends.
        let samples =
            [0, 0x1234, 0x1f_ffff, 0x20_0000, Self.gibibyte - 1, end / 2, end - 1]
            + [0xbfff_ffff, 0xc000_0000, 0xfedf_ffff, 0xfee0_0000, 0xffff_ffff, 0x1_0000_0000].filter { $0 < end }
        for address in samples { #expect(try walk(map, at: base, levels: levels, pages, address) == address) }
        #expect(try walk(map, at: base, levels: levels, pages, gibibytes * Self.gibibyte) == nil)
    }

    /// The stub writes to the local APIC's registers, which must not be cached; nothing else is kept from the caches.
    @Test(arguments: [(.mebibytes2, 6), (.gibibyte, 1)] as [(IdentityMap.Pages, Int)])
    func mapsTheLocalAPICUncached(pages: IdentityMap.Pages, lowestTables: Int) throws {
        let end = 6 * Self.gibibyte
        let map = try IdentityMap(end: end, address: 0, pages)
        // The last tables are those of the pages of 2 MiB, one for each GiB.
        let pageCount = Int(try IdentityMap.pageCount(end: end, pages))
        var uncached: [UInt64] = []
        for offset in stride(from: (pageCount - lowestTables) * 4096, to: pageCount * 4096, by: 8) {
            let entry: UInt64 = try map.bytes.field(at: offset)
            if entry & 0x18 != 0 { uncached.append(entry) }
        }
        #expect(uncached == [0xfee0_00fb])
    }

    @Test(arguments: [0, 128 << 40 + 1, UInt64.max] as [UInt64])
    func refusesAddressesBeyondTheTables(end: UInt64) {
        #expect(throws: Failure.self) { try IdentityMap(end: end, address: 0, .gibibyte) }
    }

    /// Tables for memory of up to the size that machines have: their number, and where they begin.
    @Test(
        arguments: [
            (1, 4), (1 << 30, 4), (1 << 30 + 1, 5), (512 << 30, 515), (512 << 30 + 1, 517), (600 << 30, 604),
            (6 << 40, 2 + 12 + 6144),
        ] as [(UInt64, UInt64)])
    func countsThePagesOfTheTables(end: UInt64, pages: UInt64) throws {
        #expect(try IdentityMap.pageCount(end: end, .mebibytes2) == pages)
    }
}
