// SPDX-License-Identifier: Apache-2.0
import Basics

/// Finds the free pages of kernel A and those that must not be read, from kernel A's `struct page`.
///
/// The offsets and numbers come from A's VMCOREINFO, never from A's version. The first page of a free block of 2^order pages
/// has the buddy type in the place of `_mapcount`, and the order in `private`; the block is aligned to its size (6.12,
/// mm/page_alloc.c). A page with a memory error has a bit in `flags`. A page that a balloon or an offline memory block took has
/// its own type in the place of `_mapcount`, and so has the first page of a block of the largest order that has not been
/// accepted yet (include/linux/page-flags.h, `enum pagetype`).
public struct PageMarks: Sendable {
    public enum Kind: Equatable, Sendable {
        case free
        /// A read would cause a machine check, or the hypervisor would stop the guest.
        case unreadable
        /// A free block that the allocator cannot make, so the data about free pages are wrong.
        case impossible
    }

    /// The byte that page poisoning fills free pages with (include/linux/poison.h, `PAGE_POISON`). A kernel with
    /// `page_poison=1` checks it when it allocates a page, so its free pages must be saved as they are.
    public static let poison: UInt8 = 0xaa

    private let memory: KernelMemory
    /// The virtual address of the `struct page` of frame 0.
    private let memoryMap: UInt64
    private let structByteCount: UInt64
    private let markOffset: Int
    private let orderOffset: Int
    private let flagsOffset: Int
    private let orders: UInt64
    private let buddy: TypeMark?
    private let offline: TypeMark?
    private let unaccepted: TypeMark?
    private let hugePage: TypeMark?
    /// The bit in `flags` of pages with a memory error; 0 if VMCOREINFO lacks it.
    private let poisonBit: UInt64

    /// The reason why free pages cannot be identified; nil if they can.
    public let freeProblem: Failure?

    /// A page type: in Linux 6.12 and newer the highest byte, before that a set of clear bits.
    private struct TypeMark {
        let value: UInt32
        let mask: UInt32

        init(_ number: Int64) {
            value = UInt32(truncatingIfNeeded: number)
            mask = value & 0xff_ffff == 0 ? 0xff00_0000 : .max
        }

        func matches(_ word: UInt32) -> Bool { word & mask == value }
    }

    /// - Throws: if VMCOREINFO lacks the place or the layout of the structures, naming the missing entry.
    public init(_ memory: KernelMemory, info: VMCoreInfo) throws(Failure) {
        func required<T>(_ value: T?, _ name: String) throws(Failure) -> T {
            guard let value else { throw PageMarks.failure("its VMCOREINFO has no \(name)") }
            return value
        }
        self.memory = memory
        memoryMap = try required(info.symbol("vmemmap"), "SYMBOL(vmemmap)")
        structByteCount = try required(info.unsigned("SIZE(page)"), "SIZE(page)")
        markOffset = Int(clamping: try required(info.unsigned("OFFSET(page._mapcount)"), "OFFSET(page._mapcount)"))
        guard structByteCount >= 32, structByteCount <= 512, structByteCount % 8 == 0,
            markOffset <= Int(structByteCount) - 4
        else { throw PageMarks.failure("the struct page in its VMCOREINFO is malformed") }
        let last = Int(structByteCount) - 8

        let flags = info.unsigned("OFFSET(page.flags)").flatMap { Int(exactly: $0) }
        flagsOffset = flags.flatMap { $0 <= last ? $0 : nil } ?? 0
        let bit = info.number("PG_hwpoison")
        poisonBit = flags != nil && bit.map { (0..<64).contains($0) } == true ? 1 << UInt64(bit ?? 0) : 0
        offline = info.number("PAGE_OFFLINE_MAPCOUNT_VALUE").map { TypeMark($0) }
        unaccepted = info.number("PAGE_UNACCEPTED_MAPCOUNT_VALUE").map { TypeMark($0) }
        hugePage = info.number("PAGE_HUGETLB_MAPCOUNT_VALUE").map { TypeMark($0) }

        let order = info.unsigned("OFFSET(page.private)"), count = info.unsigned("LENGTH(zone.free_area)")
        orderOffset = order.flatMap { Int(exactly: $0) }.flatMap { $0 <= last ? $0 : nil } ?? 0
        orders = count.flatMap { (1...16).contains($0) ? $0 : nil } ?? 11
        var problem: Failure?
        let mark = info.number("PAGE_BUDDY_MAPCOUNT_VALUE")
        for (value, name) in [
            (order, "OFFSET(page.private)"), (count, "LENGTH(zone.free_area)"),
            (mark.map { UInt64(bitPattern: $0) }, "NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)"),
        ] where value == nil {
            problem = PageMarks.failure("its VMCOREINFO has no \(name)")
        }
        if problem == nil, count != orders || order != UInt64(orderOffset) {
            problem = PageMarks.failure("the struct page in its VMCOREINFO is malformed")
        }
        freeProblem = problem
        buddy = problem == nil ? mark.map { TypeMark($0) } : nil
    }

    private static func failure(_ reason: String) -> Failure { Failure("find", "kernel A's free pages", reason) }

    /// The alignment of a save range, in page frames: with it, no free block crosses the ends of the range.
    public var alignment: UInt64 { 1 << (orders - 1) }

    /// Calls `visit` for the blocks of free and of unreadable pages among the frames, ascending.
    ///
    /// - Parameter visit: gets the frames of a block, clamped to the requested frames.
    /// - Throws: if the structures cannot be read, and for a huge page with a memory error: its flag does not show which part
    ///   of it must not be read.
    public func find(
        in frames: FrameRange, _ visit: (_ kind: Kind, _ block: FrameRange) -> Void
    ) throws(Failure) {
        let start = memoryMap &+ frames.lowerBound &* structByteCount
        let end = memoryMap &+ frames.upperBound &* structByteCount
        guard start < end, end <= UInt64.max - pageSize else {
            throw PageMarks.failure("the address of its memory map (vmemmap) is malformed")
        }
        let pages: VirtualRange = (start & ~(pageSize - 1))..<((end + pageSize - 1) & ~(pageSize - 1))
        var next = frames.lowerBound
        try memory.read(pages) { (address, bytes) throws(Failure) in
            next = try scan(bytes, at: address, from: next, frames, visit)
        }
    }

    /// Reads the structures in one piece of the memory map. No structure crosses the end of a piece if `SIZE(page)` divides the
    /// page size; otherwise this throws.
    /// - Returns: the frame after the last one in the piece.
    private func scan(
        _ bytes: UnsafeRawBufferPointer, at address: UInt64, from first: UInt64, _ frames: FrameRange,
        _ visit: (Kind, FrameRange) -> Void
    ) throws(Failure) -> UInt64 {
        var frame = first
        while frame < frames.upperBound {
            let position = memoryMap &+ frame &* structByteCount &- address
            guard position < UInt64(bytes.count) else { break }
            guard position + structByteCount <= UInt64(bytes.count) else {
                throw PageMarks.failure("the size of its struct page does not divide the page size")
            }
            let at = Int(position)
            let mark = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: at + markOffset, as: UInt32.self))
            let flags = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: at + flagsOffset, as: UInt64.self))
            var count: UInt64 = 1
            // A negative count is a page type. -1 means that the page is not mapped.
            if mark >> 31 != 0, mark != .max, let kind = try kind(mark, flags, bytes, at, frame, &count) {
                count = min(count, frames.upperBound - frame)
                visit(kind, frame..<frame + count)
            } else if flags & poisonBit != 0 {
                visit(.unreadable, frame..<frame + 1)
            }
            frame += count
        }
        return frame
    }

    /// The kind of a page with a type; nil if its type does not keep it from being saved.
    /// - Parameter count: gets the number of pages of that kind.
    private func kind(
        _ mark: UInt32, _ flags: UInt64, _ bytes: UnsafeRawBufferPointer, _ at: Int, _ frame: UInt64,
        _ count: inout UInt64
    ) throws(Failure) -> Kind? {
        if let buddy, buddy.matches(mark) {
            let order = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: at + orderOffset, as: UInt64.self))
            guard order < orders, frame & (1 << order - 1) == 0 else { return .impossible }
            count = 1 << order
            return flags & poisonBit == 0 ? .free : .unreadable
        }
        if let offline, offline.matches(mark) { return .unreadable }
        if let unaccepted, unaccepted.matches(mark) {
            count = frame % alignment == 0 ? alignment : 1
            return .unreadable
        }
        if flags & poisonBit != 0, let hugePage, hugePage.matches(mark) {
            throw Failure(
                "read", "kernel A's memory", "the huge page at 0x\(hexadecimal(frame &* pageSize)) has a memory error",
                remedy: "end the program that uses this page")
        }
        return nil
    }
}
