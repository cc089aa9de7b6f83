// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// Proves that RAM answers at addresses that no memory map names, by writing to a page at the beginning and at the end of
/// each 128 MiB and reading that back. What the pages held is lost.
///
/// Every page is written before one is read, so that a page that answers at two addresses shows as well.
///
/// - Parameters:
///   - ranges: whole pages that nobody uses.
///   - map: maps a page, past the caches: what is written must reach the memory.
/// - Throws: naming the first page that does not hold what was written to it.
func proveMemory(_ ranges: [PhysicalRange], _ map: (UInt64) throws(Failure) -> Mapping) throws(Failure) {
    let pages = probedPages(ranges)
    for address in pages {
        let page = try map(address)
        for offset in stride(from: 0, to: Int(pageSize), by: 8) {
            page.bytes.storeBytes(of: pattern(address, offset), toByteOffset: offset, as: UInt64.self)
        }
    }
    for address in pages {
        let page = try map(address)
        for offset in stride(from: 0, to: Int(pageSize), by: 8)
        where page.bytes.load(fromByteOffset: offset, as: UInt64.self) != pattern(address, offset) {
            throw Failure(
                "resume", "kernel A", "it had memory at 0x\(hexadecimal(address)), and none answers there",
                remedy: "plug the same memory modules into the machine")
        }
    }
}

extension MemoryDevice {
    /// Proves that this machine has RAM at addresses that the running kernel does not use; see `proveMemory`.
    /// - Parameter entries: the running kernel's /proc/iomem: what a device has is not written to.
    public static func prove(_ ranges: [PhysicalRange], _ entries: [IOMemoryEntry]) throws(Failure) {
        guard !ranges.isEmpty else { return }
        try requireNothingElse(at: ranges, entries)
        let device = try MemoryDevice(isCached: false)
        try proveMemory(ranges) { (address) throws(Failure) in try device.map(address..<address + pageSize) }
    }

    /// Refuses addresses at which /proc/iomem has anything at all: it is not free memory then.
    static func requireNothingElse(at ranges: [PhysicalRange], _ entries: [IOMemoryEntry]) throws(Failure) {
        for entry in entries where entry.name != "RAM buffer" && entry.depth == 0 {
            guard let first = ranges.intersection([entry.addresses]).first else { continue }
            throw Failure(
                "resume", "kernel A", "it had memory at \(hexadecimal(first)), and this kernel has \(entry.name) there",
                remedy: "boot with acpi_no_memhotplug and mem=, and with the same hardware")
        }
    }
}

/// The first and the last page of the part of each range in every 128 MiB, the least that Linux adds at once.
func probedPages(_ ranges: [PhysicalRange]) -> [UInt64] {
    let block: UInt64 = 128 << 20
    var pages: [UInt64] = []
    for range in ranges.wholePages {
        var start = range.lowerBound
        while start < range.upperBound {
            let end = min(range.upperBound, (start / block + 1) * block)
            pages.append(start)
            if end - start > pageSize { pages.append(end - pageSize) }
            start = end
        }
    }
    return pages
}

private func pattern(_ address: UInt64, _ offset: Int) -> UInt64 {
    (address + UInt64(offset)) &* 0x9e37_79b9_7f4a_7c15 ^ 0x5aa5_a55a_0ff0_f00f
}
