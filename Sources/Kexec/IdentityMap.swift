// SPDX-License-Identifier: Apache-2.0
import Basics

/// Page tables that map physical addresses to themselves, with a root for 4 and one for 5 levels.
///
/// If the processor supports pages of 1 GiB, the tables use them, except for the GiB with the local APIC's registers. Otherwise
/// pages have 2 MiB, and the tables take 1/262,144 of the mapped size: 256 MiB for 64 TiB.
/// Bits of entries: Intel SDM, volume 3, chapter 4: present, writable, accessed, dirty, page size.
struct IdentityMap {
    private static let table: UInt64 = 0x23  // present, writable, accessed
    private static let page: UInt64 = 0xe3  // present, writable, accessed, dirty, page size
    private static let uncached: UInt64 = 0x18  // write-through, cache disable
    /// The physical address of the local APIC's registers (Intel SDM, volume 3, "Relocating the Local APIC Registers").
    private static let localAPIC: UInt64 = 0xfee0_0000
    /// The end of these registers.
    static let localAPICEnd = localAPIC + pageSize
    private static let entriesPerTable = 512
    private static let largePage: UInt64 = 2 << 20
    private static let gibibyte: UInt64 = 1 << 30

    /// The tables, one page each: first the root for 5 levels, then the root for 4 levels.
    let bytes: [UInt8]
    /// The physical address of the root for 5 levels.
    let root5: UInt64
    /// The physical address of the root for 4 levels.
    let root4: UInt64

    /// The size of the mapped pages.
    enum Pages: Sendable {
        case mebibytes2
        /// Only for a processor with `hasGibibytePages()`.
        case gibibyte
    }

    /// The number of pages that the tables for `[0, end)` take.
    /// - Throws: if `end` is above 128 TiB, the lower half of a root for 4 levels.
    static func pageCount(end: UInt64, _ pages: Pages) throws(Failure) -> UInt64 {
        guard end > 0, end <= 128 << 40 else {
            throw Failure(
                "map", "memory up to 0x\(hexadecimal(end))", "page tables with 4 levels map no more than 128 TiB")
        }
        let gibibytes = (end + gibibyte - 1) / gibibyte
        return 2 + (gibibytes + 511) / 512 + UInt64(gibibytesInParts(Int(gibibytes), pages).count)
    }

    /// The numbers of the GiB, below `count`, that are mapped with pages of 2 MiB.
    private static func gibibytesInParts(_ count: Int, _ pages: Pages) -> Range<Int> {
        let local = Int(localAPIC / gibibyte)
        switch pages {
        case .mebibytes2: return 0..<count
        case .gibibyte: return local < count ? local..<local + 1 : 0..<0
        }
    }

    /// Makes tables that map `[0, end)`, for their place at the physical address `address`.
    /// - Throws: as `pageCount(end:_:)` does.
    init(end: UInt64, address: UInt64, _ pages: Pages) throws(Failure) {
        let pageCount = try IdentityMap.pageCount(end: end, pages)
        let gibibytes = Int((end + IdentityMap.gibibyte - 1) / IdentityMap.gibibyte)
        let upperTables = (gibibytes + IdentityMap.entriesPerTable - 1) / IdentityMap.entriesPerTable
        let inParts = IdentityMap.gibibytesInParts(gibibytes, pages)
        var bytes = [UInt8](repeating: 0, count: Int(pageCount * pageSize))
        func pageAddress(_ number: Int) -> UInt64 { address + UInt64(number) * pageSize }
        func put(_ value: UInt64, page: Int, entry: Int) { bytes.put(value, at: page * Int(pageSize) + entry * 8) }

        put(pageAddress(1) | IdentityMap.table, page: 0, entry: 0)
        for i in 0..<upperTables { put(pageAddress(2 + i) | IdentityMap.table, page: 1, entry: i) }
        for i in 0..<gibibytes {
            let upper = 2 + i / IdentityMap.entriesPerTable
            let start = UInt64(i) * IdentityMap.gibibyte
            guard inParts.contains(i) else {
                put(start | IdentityMap.page, page: upper, entry: i % IdentityMap.entriesPerTable)
                continue
            }
            let lower = 2 + upperTables + i - inParts.lowerBound
            put(pageAddress(lower) | IdentityMap.table, page: upper, entry: i % IdentityMap.entriesPerTable)
            for j in 0..<IdentityMap.entriesPerTable {
                let start = start + UInt64(j) * IdentityMap.largePage
                let cache = start == IdentityMap.localAPIC ? IdentityMap.uncached : 0
                put(start | IdentityMap.page | cache, page: lower, entry: j)
            }
        }
        self.bytes = bytes
        root5 = address
        root4 = pageAddress(1)
    }
}
