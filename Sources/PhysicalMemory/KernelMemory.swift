// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// Kernel A's memory, addressed as kernel A addresses it: its pages below N are looked up in the backup page map, and
/// its virtual addresses in its own page tables.
public final class KernelMemory: Sendable {
    private let core: CoreFile
    /// What lies below N and was swapped out: whole pages, ascending.
    public let backupRanges: [PhysicalRange]
    private let pageMap: BackupPageMap
    /// Physical address of the root of the page tables.
    private let root: UInt64
    private let levels: Int

    /// Where the kernel's text is mapped; arch/x86/include/asm/page_64_types.h, `__START_KERNEL_map`.
    private static let textMap: UInt64 = 0xffff_ffff_8000_0000

    /// - Throws: where VMCOREINFO does not tell where the page tables are, or tells that they are encrypted.
    public init(
        _ core: CoreFile, backupRanges: [PhysicalRange], pageMap: BackupPageMap, info: VMCoreInfo
    ) throws(Failure) {
        guard let symbol = info.symbol("init_top_pgt") ?? info.symbol("swapper_pg_dir"), symbol >= KernelMemory.textMap,
            let base = info.number("phys_base"), let fiveLevels = info.number("pgtable_l5_enabled")
        else { throw Failure("find", "kernel A's page tables", "its VMCOREINFO does not tell where they are") }
        guard info.number("sme_mask") ?? 0 == 0 else {
            throw Failure("read", "kernel A's page tables", "its memory is encrypted")
        }
        self.core = core
        self.backupRanges = backupRanges
        self.pageMap = pageMap
        root = symbol - KernelMemory.textMap &+ UInt64(bitPattern: base)
        levels = fiveLevels == 1 ? 5 : 4
    }

    /// The contents of a page, by kernel A's physical address of it.
    public func page(_ address: UInt64) throws(Failure) -> [UInt8] {
        try core.copyPage(at: try location(of: address))
    }

    /// The physical address at which lies what kernel A has at its physical `address`.
    /// - Throws: where the backup page map lacks it.
    public func location(of address: UInt64) throws(Failure) -> UInt64 {
        guard let location = pageMap.location(of: address, backupRanges: backupRanges), location < 1 << 52 else {
            throw Failure(
                "find", "kernel A's page at 0x\(hexadecimal(address))", "the backup page map has no place for it")
        }
        return location
    }

    /// Hands over the memory at kernel A's virtual addresses, which must be whole pages, piece after piece.
    /// - Parameter visit: takes a piece's first address and its contents, valid until it returns.
    public func read(
        _ addresses: VirtualRange, _ visit: (UInt64, UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        var virtual = addresses.lowerBound
        while virtual < addresses.upperBound {
            let (physical, pieceEnd) = try translate(virtual)
            var count = min(addresses.upperBound, pieceEnd) - virtual
            // Below N, pages that follow each other are at places of their own.
            if backupRanges.contains(where: { $0.lowerBound < physical + count && physical < $0.upperBound }) {
                count = pageSize
            }
            let location = try location(of: physical)
            let mapping = try core.map(location..<location + count)
            try visit(virtual, UnsafeRawBufferPointer(mapping.bytes))
            virtual += count
        }
    }

    /// The physical address behind a virtual one, and the end of the page (of any size) that it lies in.
    ///
    /// Entries: Intel SDM, volume 3, chapter 4. Bit 0 is present, bit 7 a large page, bits 12–51 an address.
    func translate(_ virtual: UInt64) throws(Failure) -> (physical: UInt64, end: UInt64) {
        var table = root
        for level in stride(from: levels, through: 1, by: -1) {
            let shift = UInt64(12 + 9 * (level - 1))
            let index = virtual >> shift & 511
            let entries = try page(table & ~(pageSize - 1))
            let entry: UInt64 = try entries.span.bytes.integer(at: Int(index) * 8)
            guard entry & 1 != 0 else { break }
            let size: UInt64 = 1 << shift
            let address = entry & 0x000f_ffff_ffff_f000
            if level == 1 || level <= 3 && entry & 0x80 != 0 {
                let (end, overflow) = (virtual & ~(size - 1)).addingReportingOverflow(size)
                return ((address & ~(size - 1)) + (virtual & (size - 1)), overflow ? UInt64.max : end)
            }
            table = address
        }
        throw Failure("translate", "kernel A's address 0x\(hexadecimal(virtual))", "nothing is mapped there")
    }
}
