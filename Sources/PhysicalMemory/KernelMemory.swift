// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// Kernel A's memory, by kernel A's own addresses: the backup page map translates physical addresses below N, and kernel A's
/// page tables translate virtual addresses.
public final class KernelMemory: Sendable {
    private let core: CoreFile
    /// The relocated memory below N: whole pages, ascending.
    public let backupRanges: [PhysicalRange]
    private let pageMap: BackupPageMap
    /// The physical address of the root of the page tables.
    private let root: UInt64
    private let levels: Int

    /// The virtual address at which the kernel's text is mapped (arch/x86/include/asm/page_64_types.h, `__START_KERNEL_map`).
    private static let textMap: UInt64 = 0xffff_ffff_8000_0000

    /// - Throws: if VMCOREINFO lacks the address of the page tables, or if the memory is encrypted.
    public init(
        _ core: CoreFile, backupRanges: [PhysicalRange], pageMap: BackupPageMap, info: VMCoreInfo
    ) throws(Failure) {
        guard let symbol = info.symbol("init_top_pgt") ?? info.symbol("swapper_pg_dir"), symbol >= KernelMemory.textMap,
            let base = info.number("phys_base"), let fiveLevels = info.number("pgtable_l5_enabled")
        else { throw Failure("find", "kernel A's page tables", "its VMCOREINFO does not have their address") }
        guard info.number("sme_mask") ?? 0 == 0 else {
            throw Failure("read", "kernel A's page tables", "its memory is encrypted (SME)")
        }
        self.core = core
        self.backupRanges = backupRanges
        self.pageMap = pageMap
        root = symbol - KernelMemory.textMap &+ UInt64(bitPattern: base)
        levels = fiveLevels == 1 ? 5 : 4
    }

    /// Copies the page at kernel A's physical address.
    public func page(_ address: UInt64) throws(Failure) -> [UInt8] {
        try core.copyPage(at: try location(of: address))
    }

    /// The place to which kernel A's physical `address` was relocated, also as a physical address; `address` itself outside the
    /// backup ranges.
    /// - Throws: if the backup page map has no entry for it.
    public func location(of address: UInt64) throws(Failure) -> UInt64 {
        guard let location = pageMap.location(of: address, backupRanges: backupRanges), location < 1 << 52 else {
            throw Failure(
                "find", "kernel A's page at 0x\(hexadecimal(address))", "the backup page map has no entry for it")
        }
        return location
    }

    /// Calls `visit` with the memory at kernel A's virtual addresses, which must be whole pages, in pieces.
    /// - Parameter visit: gets the virtual address of a piece and its contents, which are valid until it returns.
    public func read(
        _ addresses: VirtualRange, _ visit: (UInt64, UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        var virtual = addresses.lowerBound
        while virtual < addresses.upperBound {
            let (physical, pieceEnd) = try translate(virtual)
            var count = min(addresses.upperBound, pieceEnd) - virtual
            // Below N, adjacent pages were relocated to different places.
            if backupRanges.contains(where: { $0.overlaps(physical..<physical + count) }) {
                count = pageSize
            }
            let location = try location(of: physical)
            try core.view(location..<location + count) { (bytes) throws(Failure) in try visit(virtual, bytes) }
            virtual += count
        }
    }

    /// Translates kernel A's virtual address.
    ///
    /// Entries of the page tables: Intel SDM, volume 3, chapter 4. Bit 0: present; bit 7: large page; bits 12–51: address.
    /// - Returns: the physical address, and the virtual end of the page, whatever its size.
    /// - Throws: if the address is not mapped.
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
