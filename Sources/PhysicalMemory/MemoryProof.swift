// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// Proves that there is RAM at addresses that no memory map lists: writes to the first and the last page of each 128 MiB and
/// reads them back. The contents of these pages are lost.
///
/// All pages are written before the first is read. So memory that appears at two addresses is detected too.
///
/// - Parameters:
///   - ranges: unused whole pages.
///   - map: maps a page without caching, so that writes reach the memory.
/// - Throws: naming the first page that does not return the data written to it.
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
                "resume", "kernel A", "it had memory at 0x\(hexadecimal(address)), but this machine has none there",
                remedy: "install the same memory modules again")
        }
    }
}

extension MemoryDevice {
    /// Proves that this machine has RAM at addresses that the running kernel does not use; see `proveMemory`.
    /// - Parameter entries: the running kernel's /proc/iomem, so that no device's addresses are written to.
    public static func prove(_ ranges: [PhysicalRange], _ entries: [IOMemoryEntry]) throws(Failure) {
        guard !ranges.isEmpty else { return }
        try requireNothingElse(at: ranges, entries)
        let device = try MemoryDevice(isCached: false)
        try proveMemory(ranges) { (address) throws(Failure) in try device.map(address..<address + pageSize) }
    }

    /// Refuses addresses that /proc/iomem lists with any name: they are not free memory.
    static func requireNothingElse(at ranges: [PhysicalRange], _ entries: [IOMemoryEntry]) throws(Failure) {
        for entry in entries where entry.name != "RAM buffer" && entry.depth == 0 {
            guard let first = ranges.intersection([entry.addresses]).first else { continue }
            throw Failure(
                "resume", "kernel A", "it had memory at \(hexadecimal(first)), but this kernel has \(entry.name) there",
                remedy: "boot with acpi_no_memhotplug and mem=, and with the same hardware")
        }
    }
}

/// The addresses of the first and the last page of each range within every 128 MiB, the smallest block of memory that Linux
/// hot-plugs.
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
