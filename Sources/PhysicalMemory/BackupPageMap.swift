// SPDX-License-Identifier: Apache-2.0
import Basics

/// The places of kernel A's low pages while kernel B or C runs below N, from the kernel's own list of pages to swap.
///
/// `machine_kexec_prepare` and `relocate_kernel` (arch/x86/kernel) leave the physical address of the list's first page in the
/// control page, which also holds the jump-back entry. The offset differs between kernels. An entry of the list is the physical
/// address of a page with one of the flags of <linux/kexec.h>, `IND_*`.
public struct BackupPageMap: Equatable, Sendable {
    /// For each page of the backup ranges, in order, the number of the page frame with its contents.
    public var sources: [UInt64]

    private static let destinationFlag: UInt64 = 1, indirectionFlag: UInt64 = 2, doneFlag: UInt64 = 4
    private static let sourceFlag: UInt64 = 8
    /// An address without its flags.
    private static func page(_ entry: UInt64) -> UInt64 { entry & ~(pageSize - 1) }

    public init(sources: [UInt64]) { self.sources = sources }

    /// Finds the list through the control page and reads it.
    ///
    /// - Parameters:
    ///   - controlPage: the contents of the page with the jump-back entry.
    ///   - backupRanges: whole pages, ascending.
    ///   - readPage: returns the contents of a page of kernel A's memory at a physical address.
    /// - Throws: if no word of the control page leads to a list whose destinations are exactly the pages of the backup ranges,
    ///   or if two words lead to different lists.
    public init(
        controlPage: [UInt8], backupRanges: [PhysicalRange], readPage: (UInt64) throws(Failure) -> [UInt8]
    ) throws(Failure) {
        var found: BackupPageMap?
        let fields = controlPage.span.bytes
        for offset in stride(from: 0, through: controlPage.count - 8, by: 8) {
            let word: UInt64 = try fields.integer(at: offset)
            guard word & (pageSize - 1) == BackupPageMap.indirectionFlag, BackupPageMap.page(word) != 0 else {
                continue
            }
            guard let map = try? BackupPageMap.follow(word, backupRanges, readPage) else { continue }
            if let found, found != map { throw BackupPageMap.notFound("several lists match the backup range") }
            found = map
        }
        guard let found else { throw BackupPageMap.notFound("no list matches the backup range") }
        self = found
    }

    private static func follow(
        _ start: UInt64, _ backupRanges: [PhysicalRange], _ readPage: (UInt64) throws(Failure) -> [UInt8]
    ) throws(Failure) -> BackupPageMap {
        guard backupRanges.byteCount <= maximumBackupByteCount else {
            throw notFound("the backup range is above 4 GiB")
        }
        let expected = Int(clamping: backupRanges.byteCount / pageSize)
        var sources: [UInt64] = []
        sources.reserveCapacity(expected)
        var iterator = PageIterator(backupRanges)
        var destination: UInt64?
        var list = try readPage(page(start))
        var index = 0
        // Most entries of every page of the list are sources, so the list has no more pages than this.
        var listPages = expected / 256 + 16
        while true {
            let entry: UInt64 = try list.span.bytes.integer(at: index * 8)
            index += 1
            switch entry & (pageSize - 1) {
            case destinationFlag: destination = page(entry)
            case indirectionFlag:
                listPages -= 1
                guard listPages > 0 else { throw notFound("the list does not end") }
                list = try readPage(page(entry))
                index = 0
            case sourceFlag:
                guard let current = destination, current == iterator.next() else {
                    throw notFound("a destination is not the next page of the backup range")
                }
                sources.append(page(entry) / pageSize)
                destination = current + pageSize
            case doneFlag:
                guard sources.count == expected, iterator.next() == nil else { throw notFound("the list is too short") }
                return BackupPageMap(sources: sources)
            default: throw notFound("an entry has unknown flags")
            }
        }
    }

    /// The place to which kernel A's physical `address` was relocated, also as a physical address; `address` itself outside the
    /// backup ranges.
    /// - Returns: nil if the list has no valid entry for the page.
    public func location(of address: UInt64, backupRanges: [PhysicalRange]) -> UInt64? {
        var pagesBefore: UInt64 = 0
        for range in backupRanges {
            if range.contains(address) {
                let index = pagesBefore + (address - range.lowerBound) / pageSize
                guard index < UInt64(sources.count), sources[Int(index)] < 1 << 40 else { return nil }
                return sources[Int(index)] * pageSize + address % pageSize
            }
            pagesBefore += range.byteCount / pageSize
        }
        return address
    }

    private static func notFound(_ reason: String) -> Failure {
        Failure("find", "the list of kernel A's backed-up pages", reason)
    }
}

/// Iterates over the physical addresses of the pages of ranges.
private struct PageIterator: IteratorProtocol {
    private let ranges: [PhysicalRange]
    private var number = 0
    private var address: UInt64

    init(_ ranges: [PhysicalRange]) {
        self.ranges = ranges
        address = ranges.first?.lowerBound ?? 0
    }

    mutating func next() -> UInt64? {
        guard number < ranges.count else { return nil }
        let result = address
        address += pageSize
        if address >= ranges[number].upperBound {
            number += 1
            if number < ranges.count { address = ranges[number].lowerBound }
        }
        return result
    }
}
