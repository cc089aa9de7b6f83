// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import PhysicalMemory

/// Decides which of kernel A's pages kernel B leaves out: free pages, which need not be read, and pages that must not be read.
/// The two decisions are independent: if the free pages look inconsistent, all of them are saved, and pages that must not be
/// read are still left out.
///
/// A kernel with `init_on_free` allocates a free page without clearing it again (mm/page_alloc.c, `want_init_on_free`); any
/// other kernel ignores the contents of free pages. So free pages are recorded as zeros, unless a sample holds other data:
/// kernel A does not clear free pages then, and kernel C need not clear them either.
struct FreePageFilter: Sendable {
    /// How pages are treated.
    enum Kind: Equatable, Sendable {
        case saved, free, unreadable
    }

    /// Free pages that are left out, above N and below.
    let freePages: UInt64
    /// Pages above N that must not be read.
    let unreadablePages: UInt64
    /// Why free pages are saved like other pages; nil if they are left out.
    let freeProblem: Failure?
    /// Whether free pages must be zeros again when kernel A continues, because it may rely on that.
    let keepsZeros: Bool
    private let marks: PageMarks
    /// Present addresses of the free pages of the backup ranges, normalized. Kernel A's kexec allocated the pages at these
    /// addresses, so their own marks say that they are in use.
    private let relocated: [PhysicalRange]

    /// Reads the marks of all pages, and compares the number of free pages with kernel A's own count.
    ///
    /// - Parameters:
    ///   - memory: kernel A's memory; its backup ranges are counted as well.
    ///   - ranges: physical addresses to save, half-open, cut so that no free block crosses a cut.
    ///   - expected: kernel A's count before the jump; nil if its note cannot be read.
    ///   - whileCounting: called for each range, by any thread.
    /// - Throws: if the marks cannot be read, or if a huge page has a memory error.
    init(
        _ memory: KernelMemory, _ marks: PageMarks, ranges: [PhysicalRange], expected: FreePageCount?,
        whileCounting: @escaping () -> Void = {}
    ) throws(Failure) {
        guard saveRangeByteCount / pageSize % marks.alignment == 0 else {
            throw Failure(
                "find", "kernel A's free pages",
                "its largest free blocks have \(marks.alignment) pages, but a save range has only "
                    + "\(saveRangeByteCount / pageSize)")
        }
        let tally = Locked(Tally())
        let list = WorkQueue(ranges + SavePipeline.saveRanges(memory.backupRanges))
        let workers = Workers()
        try workers.run { () throws(Failure) in
            while !workers.isStopping, let range = list.take() {
                whileCounting()
                let findings = try Tally(memory, marks, range)
                tally.withLock { $0.add(findings) }
            }
        }
        let found = tally.withLock { $0 }
        freeProblem = marks.freeProblem ?? found.freeProblem ?? FreePageFilter.problem(found, expected)
        unreadablePages = found.unreadable
        freePages = freeProblem == nil ? found.free : 0
        keepsZeros = found.poisoned > 0 || found.zero == found.samples
        self.marks = marks
        relocated = freeProblem == nil ? found.relocated.normalized() : []
    }

    /// Why the free pages that were found must be saved; nil if they can be left out.
    private static func problem(_ found: Tally, _ expected: FreePageCount?) -> Failure? {
        guard let expected else {
            return Failure(
                "find", "kernel A's free pages", "the count that kernel A took before the jump cannot be read")
        }
        guard expected.allows(found.free) else {
            return Failure(
                "find", "kernel A's free pages",
                "\(found.free) pages are marked free, but kernel A counted \(expected.free), and "
                    + "\(expected.onCPULists) on per-CPU lists"
            )
        }
        guard found.samples == 0 || found.poisoned < found.samples else {
            return Failure(
                "leave out", "kernel A's free pages",
                "kernel A poisons them (page_poison=1), and checks the poison when it allocates a page")
        }
        return nil
    }

    /// Counts and samples from the marks of one range or several.
    private struct Tally {
        /// Free pages.
        var free: UInt64 = 0
        /// Free pages whose contents were read; those of them that hold only poison; those that hold only zeros.
        var samples = 0
        var poisoned = 0
        var zero = 0
        /// Pages above N that must not be read.
        var unreadable: UInt64 = 0
        /// Present addresses of the free pages of the backup ranges.
        var relocated: [PhysicalRange] = []
        var freeProblem: Failure?

        init() {}

        /// Counts the pages of a range. Samples the first page of the first and of the last free block.
        /// - Throws: if the marks cannot be read.
        init(_ memory: KernelMemory, _ pages: PageMarks, _ range: PhysicalRange) throws(Failure) {
            let isBackedUp = memory.backupRanges.covers(range)
            var blocks: (first: UInt64, last: UInt64)?
            var relocatedFrames: [FrameRange] = []
            var found: UInt64 = 0
            var unreadable: UInt64 = 0
            var impossible: UInt64?
            try pages.find(in: range.frames) { kind, block in
                switch kind {
                case .free:
                    found += block.frameCount
                    blocks = (blocks?.first ?? block.lowerBound, block.lowerBound)
                    if isBackedUp { relocatedFrames.append(block) }
                // Below N, kernel A itself read and wrote the page when it jumped.
                case .unreadable: if !isBackedUp { unreadable += block.frameCount }
                case .impossible: impossible = block.lowerBound
                }
            }
            free = found
            self.unreadable = unreadable
            if let impossible {
                freeProblem = Failure(
                    "find", "kernel A's free pages", "page frame \(impossible) is marked free with an invalid order")
            }
            do throws(Failure) {
                for frame in relocatedFrames.flatMap({ $0.numbers }) {
                    let location = try memory.location(of: frame * pageSize)
                    addRelocated(location..<location + pageSize)
                }
                guard let blocks else { return }
                for frame in blocks.first == blocks.last ? [blocks.first] : [blocks.first, blocks.last] {
                    let contents = try memory.page(frame * pageSize)
                    samples += 1
                    if contents.allSatisfy({ $0 == PageMarks.poison }) { poisoned += 1 }
                    if contents.withUnsafeBytes({ isZero($0) }) { zero += 1 }
                }
            } catch { freeProblem = error }
        }

        /// Kernel A's kexec mostly allocated adjacent pages, so the 4096 pages of a range merge into few ranges.
        private mutating func addRelocated(_ page: PhysicalRange) {
            if let last = relocated.last, last.upperBound == page.lowerBound {
                relocated[relocated.count - 1] = last.lowerBound..<page.upperBound
            } else if let last = relocated.last, page.upperBound == last.lowerBound {
                relocated[relocated.count - 1] = page.lowerBound..<last.upperBound
            } else {
                relocated.append(page)
            }
        }

        /// Adds the counts of another range.
        mutating func add(_ other: Tally) {
            free += other.free
            samples += other.samples
            poisoned += other.poisoned
            zero += other.zero
            unreadable += other.unreadable
            relocated += other.relocated
            freeProblem = freeProblem ?? other.freeProblem
        }
    }

    /// Splits a range into parts, in ascending order, each of one kind.
    func split(_ range: PhysicalRange) throws(Failure) -> [(addresses: PhysicalRange, kind: Kind)] {
        var free = relocated(in: range)
        var unreadable: [PhysicalRange] = []
        let leavesOutFree = freeProblem == nil
        try marks.find(in: range.frames) { kind, frames in
            guard let block = frames.addresses else { return }
            switch kind {
            case .free: if leavesOutFree { free.append(block) }
            case .unreadable: unreadable.append(block)
            case .impossible: break
            }
        }
        var parts: [(addresses: PhysicalRange, kind: Kind)] = []
        for range in free.subtracting(unreadable) { parts.append((range, .free)) }
        for range in unreadable.normalized() { parts.append((range, .unreadable)) }
        for range in [range].subtracting(parts.map { $0.addresses }) { parts.append((range, .saved)) }
        return parts.sorted { $0.addresses.lowerBound < $1.addresses.lowerBound }
    }

    /// The pages in the range that hold relocated free pages from below N.
    private func relocated(in range: PhysicalRange) -> [PhysicalRange] {
        var (first, end) = (0, relocated.count)
        while first < end {
            let middle = (first + end) / 2
            if relocated[middle].upperBound <= range.lowerBound { first = middle + 1 } else { end = middle }
        }
        return relocated[first...].prefix { $0.lowerBound < range.upperBound }.map { $0.clamped(to: range) }
    }
}
