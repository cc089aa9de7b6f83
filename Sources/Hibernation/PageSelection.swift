import Basics
import Linux
import PhysicalMemory

/// How many pages kernel A's allocator had free just before the jump.
struct FreePageCount: Equatable, Sendable {
    /// Pages that its buddy allocator had (/proc/vmstat).
    var free: UInt64
    /// Free pages that it kept for single CPUs, which give them back when they go offline for the jump (/proc/zoneinfo).
    var kept: UInt64

    /// Whether kernel A may have as many marked free, as some memory is taken and given back until the jump.
    func allows(_ found: UInt64) -> Bool {
        let tolerance = free / 8 &+ 4096
        let (most, overflow) = free.addingReportingOverflow(kept)
        return (overflow || found <= most || found - most <= tolerance) && (free <= found || free - found <= tolerance)
    }
}

/// Which of kernel A's pages need not be read: the free ones. Right or off: where anything speaks against what was found,
/// all pages are saved.
///
/// In the image a free page is a page of zeros. A kernel with `init_on_free` relies on that; no other kernel cares.
struct PageSelection: Sendable {
    /// Free pages that were found in all ranges together.
    let freePages: UInt64
    private let free: FreePages

    /// What page poisoning fills free pages with (include/linux/poison.h, `PAGE_POISON`); a kernel with `page_poison=1`
    /// checks it when it takes a page, so there free pages have to be saved as they are.
    private static let poison: UInt8 = 0xaa

    /// Counts the free pages and compares them with what kernel A counted itself.
    ///
    /// - Parameters:
    ///   - windows: physical addresses; cut so that no free block lies across a cut.
    ///   - expected: free pages that kernel A noted before the jump.
    ///   - whileCounting: is called for each window, by any thread.
    /// - Throws: why all pages have to be saved.
    init(
        _ core: CoreFile, _ free: FreePages, windows: [AddressRange], expected: FreePageCount,
        whileCounting: @escaping () -> Void = {}
    ) throws(Failure) {
        guard SavePipeline.windowByteCount / pageSize % free.alignment == 0 else {
            throw Failure("find", "kernel A's free pages", "its allocator has blocks of \(free.alignment) pages")
        }
        let tally = Guarded<(free: UInt64, samples: Int, poisoned: Int)>((0, 0, 0))
        let list = WorkList(windows)
        let workers = Workers()
        try workers.run { () throws(Failure) in
            while !workers.isStopping, let window = list.take() {
                whileCounting()
                var found: UInt64 = 0
                var sample: UInt64?
                try free.find(in: PageSelection.frames(window)) { first, count in
                    found += count
                    if sample == nil { sample = first }
                }
                var isPoisoned = false
                if let sample { isPoisoned = try PageSelection.isPoisoned(core, frame: sample) }
                tally.withLock {
                    $0.free += found
                    $0.samples += sample == nil ? 0 : 1
                    $0.poisoned += isPoisoned ? 1 : 0
                }
            }
        }
        let (found, samples, poisoned) = tally.withLock { $0 }
        guard expected.allows(found) else {
            throw Failure(
                "find", "kernel A's free pages",
                "\(found) are marked, where kernel A counted \(expected.free) and kept \(expected.kept) for its CPUs")
        }
        guard samples == 0 || poisoned < samples else {
            throw Failure("leave out", "kernel A's free pages", "it poisons them, and checks that when it takes one")
        }
        freePages = found
        self.free = free
    }

    private static func isPoisoned(_ core: CoreFile, frame: UInt64) throws(Failure) -> Bool {
        try core.copy(frame * pageSize..<(frame + 1) * pageSize).allSatisfy { $0 == poison }
    }

    private static func frames(_ window: AddressRange) -> Range<UInt64> {
        window.lowerBound / pageSize..<window.upperBound / pageSize
    }

    /// The parts of a window to be read, and those to be recorded as zeros, in order.
    func split(_ window: AddressRange) throws(Failure) -> [(frames: Range<UInt64>, isFree: Bool)] {
        let frames = PageSelection.frames(window)
        var parts: [(frames: Range<UInt64>, isFree: Bool)] = []
        var next = frames.lowerBound
        try free.find(in: frames) { first, count in
            if next < first { parts.append((next..<first, false)) }
            next = first + count
            if let last = parts.last, last.isFree, last.frames.upperBound == first {
                parts[parts.count - 1].frames = last.frames.lowerBound..<next
            } else {
                parts.append((first..<next, true))
            }
        }
        if next < frames.upperBound { parts.append((next..<frames.upperBound, false)) }
        return parts
    }
}
