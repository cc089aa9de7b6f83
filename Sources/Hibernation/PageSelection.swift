import Basics
import Linux
import PhysicalMemory

/// Which of kernel A's pages need not be read: the free ones. Right or off: where anything speaks against what was found,
/// all pages are saved.
///
/// A kernel with `init_on_free` relies on its free pages being zeros, and hands them out as such (mm/page_alloc.c,
/// `want_init_on_free`); no other kernel cares. So they are recorded as zeros, unless one is found that holds something: this
/// kernel does not clear them then, and kernel C need not either.
struct PageSelection: Sendable {
    /// Free pages that were found, above N and below.
    let freePages: UInt64
    /// Whether kernel A may rely on its free pages being zeros.
    let keepsZeros: Bool
    private let free: FreePages
    /// Where the free pages of the backup ranges lie: normalized. Their places count as used, by kernel A's own kexec.
    private let swappedOut: [AddressRange]

    /// What page poisoning fills free pages with (include/linux/poison.h, `PAGE_POISON`); a kernel with `page_poison=1`
    /// checks it when it takes a page, so there free pages have to be saved as they are.
    private static let poison: UInt8 = 0xaa

    /// Counts the free pages and compares them with what kernel A counted itself.
    ///
    /// - Parameters:
    ///   - memory: kernel A's; its backup ranges are counted as well.
    ///   - windows: physical addresses to be saved; cut so that no free block lies across a cut.
    ///   - expected: free pages that kernel A noted before the jump.
    ///   - whileCounting: is called for each window, by any thread.
    /// - Throws: why all pages have to be saved.
    init(
        _ memory: KernelMemory, _ free: FreePages, windows: [AddressRange], expected: FreePageCount,
        whileCounting: @escaping () -> Void = {}
    ) throws(Failure) {
        guard SavePipeline.windowByteCount / pageSize % free.alignment == 0 else {
            throw Failure("find", "kernel A's free pages", "its allocator has blocks of \(free.alignment) pages")
        }
        let tally = Guarded(Findings())
        let list = WorkList(windows + SavePipeline.windows(memory.backupRanges))
        let workers = Workers()
        try workers.run { () throws(Failure) in
            while !workers.isStopping, let window = list.take() {
                whileCounting()
                let findings = try Findings(memory, free, window)
                tally.withLock { $0.add(findings) }
            }
        }
        let found = tally.withLock { $0 }
        guard expected.allows(found.free) else {
            throw Failure(
                "find", "kernel A's free pages",
                "\(found.free) are marked, where kernel A counted \(expected.free) and kept \(expected.kept) for its CPUs"
            )
        }
        guard found.samples == 0 || found.poisoned < found.samples else {
            throw Failure("leave out", "kernel A's free pages", "it poisons them, and checks that when it takes one")
        }
        freePages = found.free
        keepsZeros = found.poisoned > 0 || found.zero == found.samples
        self.free = free
        swappedOut = found.swappedOut.normalized()
    }

    /// What was seen of the free pages.
    private struct Findings {
        /// How many there are.
        var free: UInt64 = 0
        /// Those whose contents were looked at, those among them that hold nothing but poison, and nothing but zeros.
        var samples = 0
        var poisoned = 0
        var zero = 0
        /// Where those lie that are in the backup ranges.
        var swappedOut: [AddressRange] = []

        init() {}

        /// Looks at the first page of the first and of the last free block in the window.
        init(_ memory: KernelMemory, _ pages: FreePages, _ window: AddressRange) throws(Failure) {
            let isSwappedOut = memory.backupRanges.covers(window)
            var blocks: (first: UInt64, last: UInt64)?
            var swapped: [Range<UInt64>] = []
            var found: UInt64 = 0
            try pages.find(in: frames(window)) { first, count in
                found += count
                blocks = (blocks?.first ?? first, first)
                if isSwappedOut { swapped.append(first..<first + count) }
            }
            free = found
            for frame in swapped.joined() {
                let location = try memory.location(of: frame * pageSize)
                addSwappedOut(location..<location + pageSize)
            }
            guard let blocks else { return }
            for frame in blocks.first == blocks.last ? [blocks.first] : [blocks.first, blocks.last] {
                let contents = try memory.page(frame * pageSize)
                samples += 1
                if contents.allSatisfy({ $0 == poison }) { poisoned += 1 }
                if contents.withUnsafeBytes({ isZero($0) }) { zero += 1 }
            }
        }

        /// Kernel A's kexec mostly took pages one beside the other, so that a window's 4096 are few ranges.
        private mutating func addSwappedOut(_ page: AddressRange) {
            if let last = swappedOut.last, last.upperBound == page.lowerBound {
                swappedOut[swappedOut.count - 1] = last.lowerBound..<page.upperBound
            } else if let last = swappedOut.last, page.upperBound == last.lowerBound {
                swappedOut[swappedOut.count - 1] = page.lowerBound..<last.upperBound
            } else {
                swappedOut.append(page)
            }
        }

        /// Takes in what was seen in another window.
        mutating func add(_ other: Findings) {
            free += other.free
            samples += other.samples
            poisoned += other.poisoned
            zero += other.zero
            swappedOut += other.swappedOut
        }
    }

    private static func frames(_ window: AddressRange) -> Range<UInt64> {
        window.lowerBound / pageSize..<window.upperBound / pageSize
    }

    /// The parts of a window to be read, and those that are free, in order.
    func split(_ window: AddressRange) throws(Failure) -> [(addresses: AddressRange, isFree: Bool)] {
        var blocks = swappedOut(in: window)
        try free.find(in: PageSelection.frames(window)) { first, count in
            blocks.append(first * pageSize..<(first + count) * pageSize)
        }
        var parts: [(addresses: AddressRange, isFree: Bool)] = []
        var next = window.lowerBound
        for block in blocks.normalized() {
            if next < block.lowerBound { parts.append((next..<block.lowerBound, false)) }
            parts.append((block, true))
            next = block.upperBound
        }
        if next < window.upperBound { parts.append((next..<window.upperBound, false)) }
        return parts
    }

    /// The pages among those of the window that hold what is free below N.
    private func swappedOut(in window: AddressRange) -> [AddressRange] {
        var (first, end) = (0, swappedOut.count)
        while first < end {
            let middle = (first + end) / 2
            if swappedOut[middle].upperBound <= window.lowerBound { first = middle + 1 } else { end = middle }
        }
        return swappedOut[first...].prefix { $0.lowerBound < window.upperBound }.map { $0.clamped(to: window) }
    }
}
