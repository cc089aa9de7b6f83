import Basics

/// The free pages of kernel A, as its buddy allocator marks them in `struct page` (mm/page_alloc.c).
///
/// Everything is found by the offsets and numbers that A's VMCOREINFO exports, never by A's version. The first page of a
/// free block of 2^order pages has the buddy mark where `_mapcount` is, and the order in `private`; the block is aligned
/// to its size.
public struct FreePages: Sendable {
    private let memory: KernelMemory
    /// Virtual address of the `struct page` of frame 0.
    private let memoryMap: UInt64
    private let structByteCount: UInt64
    private let markOffset: Int
    private let orderOffset: Int
    private let mark: UInt32
    private let orders: UInt64

    /// - Throws: naming what VMCOREINFO lacks.
    public init(_ memory: KernelMemory, info: VMCoreInfo) throws(Failure) {
        func required<T>(_ value: T?, _ name: String) throws(Failure) -> T {
            guard let value else { throw Failure("find", "kernel A's free pages", "its VMCOREINFO has no \(name)") }
            return value
        }
        self.memory = memory
        memoryMap = try required(info.symbol("vmemmap"), "SYMBOL(vmemmap)")
        structByteCount = try required(info.unsigned("SIZE(page)"), "SIZE(page)")
        markOffset = Int(clamping: try required(info.unsigned("OFFSET(page._mapcount)"), "OFFSET(page._mapcount)"))
        orderOffset = Int(clamping: try required(info.unsigned("OFFSET(page.private)"), "OFFSET(page.private)"))
        orders = try required(info.unsigned("LENGTH(zone.free_area)"), "LENGTH(zone.free_area)")
        let number = try required(info.number("PAGE_BUDDY_MAPCOUNT_VALUE"), "NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)")
        mark = UInt32(truncatingIfNeeded: number)
        guard structByteCount >= 32, structByteCount <= 512, structByteCount % 8 == 0, orders > 0, orders <= 16,
            markOffset <= Int(structByteCount) - 4, orderOffset <= Int(structByteCount) - 8
        else { throw Failure("find", "kernel A's free pages", "its VMCOREINFO describes no struct page") }
    }

    /// Frames that a window must be a multiple of, so that no free block lies across its ends.
    public var alignment: UInt64 { 1 << (orders - 1) }

    /// Hands over the free blocks among the frames, ascending.
    ///
    /// - Parameter visit: takes the first frame and the count of a block, cut to the frames asked for.
    /// - Throws: where a block is not one that the allocator could have made: what was read is something else then.
    public func find(
        in frames: Range<UInt64>, _ visit: (_ firstFrame: UInt64, _ count: UInt64) -> Void
    ) throws(Failure) {
        let start = memoryMap &+ frames.lowerBound &* structByteCount
        let end = memoryMap &+ frames.upperBound &* structByteCount
        guard start < end, end <= UInt64.max - pageSize else {
            throw Failure("find", "kernel A's free pages", "its memory map lies nowhere")
        }
        let pages = (start & ~(pageSize - 1))..<((end + pageSize - 1) & ~(pageSize - 1))
        var next = frames.lowerBound
        try memory.read(pages) { (address, bytes) throws(Failure) in
            next = try scan(bytes, at: address, from: next, frames, visit)
        }
    }

    /// Looks at the structures that lie in one piece of the memory map; one that lies across its end has been put
    /// together by `SIZE(page)` dividing the page, or the piece is refused.
    private func scan(
        _ bytes: UnsafeRawBufferPointer, at address: UInt64, from first: UInt64, _ frames: Range<UInt64>,
        _ visit: (UInt64, UInt64) -> Void
    ) throws(Failure) -> UInt64 {
        var frame = first
        while frame < frames.upperBound {
            let position = memoryMap &+ frame &* structByteCount &- address
            guard position < UInt64(bytes.count) else { break }
            guard position + structByteCount <= UInt64(bytes.count) else {
                throw Failure("find", "kernel A's free pages", "its struct page does not divide a page")
            }
            let at = Int(position)
            if UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: at + markOffset, as: UInt32.self)) == mark {
                let order = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: at + orderOffset, as: UInt64.self))
                guard order < orders, frame & (1 << order - 1) == 0 else {
                    throw Failure(
                        "find", "kernel A's free pages",
                        "frame \(frame) is marked free with the impossible order \(order)")
                }
                let count = min(1 << order, frames.upperBound - frame)
                visit(frame, count)
                frame += count
            } else {
                frame += 1
            }
        }
        return frame
    }
}
