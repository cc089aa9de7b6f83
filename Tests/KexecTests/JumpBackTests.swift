// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
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
    func refusesWhatTheTablesCannotMap(end: UInt64) {
        #expect(throws: Failure.self) { try IdentityMap(end: end, address: 0, .gibibyte) }
    }
}

@Suite struct JumpBackTests {
    private static let room: [PhysicalRange] = [0x1000..<0x9f000, 0x10_0000..<0x800_0000]

    @Test func putsStubAndTablesAboveLowMemory() throws {
        let jump = try JumpBack(entry: 0x1_8000_0123, mapEnd: 0x1_c000_0000, room: Self.room, hasGibibytePages: false)
        #expect(jump.destination.lowerBound == 1 << 20)
        #expect(jump.destination.upperBound % 4096 == 0)
        #expect(UInt64(jump.bytes.count) <= jump.destination.byteCount)
        // The stub's page is the last, and its parameters are its last four words: roots, stack, entry.
        #expect(jump.entry == jump.destination.upperBound - 4096)
        let parameters = jump.bytes.count - 32
        #expect(try jump.bytes.field(at: parameters) == (1 << 20) + UInt64(4096))
        #expect(try jump.bytes.field(at: parameters + 8) == UInt64(1 << 20))
        let stack: UInt64 = try jump.bytes.field(at: parameters + 16)
        #expect(stack >= jump.entry + UInt64(jump.bytes.count) % 4096 && stack + 8 <= jump.destination.upperBound)
        #expect(try jump.bytes.field(at: parameters + 24) == UInt64(0x1_8000_0123))
    }

    /// The local APIC is mapped in a machine with little memory, too.
    @Test func mapsTheLocalAPIC() throws {
        let jump = try JumpBack(entry: 0x9000, mapEnd: 1 << 30, room: Self.room, hasGibibytePages: false)
        #expect(jump.destination.byteCount == 4096 * (try IdentityMap.pageCount(end: 0xfee0_1000, .mebibytes2) + 1))
    }

    /// A range of room that begins in the first MiB is used from there on.
    @Test func usesWhatLiesAboveLowMemory() throws {
        let jump = try JumpBack(entry: 0x9000, mapEnd: 1 << 30, room: [0x1000..<0x20_0000], hasGibibytePages: false)
        #expect(jump.destination.lowerBound == 1 << 20)
        #expect(throws: Failure.self) {
            try JumpBack(entry: 0x9000, mapEnd: 1 << 30, room: [0x1000..<0x10_2000], hasGibibytePages: false)
        }
    }

    @Test func refusesWhatCannotWork() {
        #expect(throws: Failure.self) {
            try JumpBack(entry: 0x9000, mapEnd: 0x9000, room: Self.room, hasGibibytePages: false)
        }
        #expect(throws: Failure.self) {
            try JumpBack(entry: 0x9000, mapEnd: 1 << 40, room: [0x10_0000..<0x10_4000], hasGibibytePages: false)
        }
        #expect(throws: Failure.self) {
            try JumpBack(entry: 0x9000, mapEnd: 1 << 30, room: [0x1000..<0x9f000], hasGibibytePages: false)
        }
    }

    /// 32 TiB of addresses, and 8 MiB of memory to jump from: with pages of 1 GiB there is room for the tables.
    @Test func mapsTerabytesFromLittleMemory() throws {
        let room: [PhysicalRange] = [0x10_0000..<0x90_0000]
        let failure = #expect(throws: Failure.self) {
            try JumpBack(entry: 0x9000, mapEnd: 32 << 40, room: room, hasGibibytePages: false)
        }
        #expect(failure?.description.contains("128.2 MiB of page tables") == true)
        let jump = try JumpBack(entry: 0x9000, mapEnd: 32 << 40, room: room, hasGibibytePages: true)
        #expect(room.covers(jump.destination) && jump.destination.byteCount < 1 << 20)
    }
}
