// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import PhysicalMemory

/// Which of kernel A's pages need not be read, the free ones, and which must not be read. Two decisions: if anything
/// speaks against what was found of free pages, all of them are saved; pages that must not be read are left out all the
/// same.
///
/// A kernel with `init_on_free` relies on its free pages being zeros, and hands them out as such (mm/page_alloc.c,
/// `want_init_on_free`); no other kernel cares. So they are recorded as zeros, unless one is found that holds something: this
/// kernel does not clear them then, and kernel C need not either.
struct FreePageFilter: Sendable {
    /// What becomes of pages.
    enum Kind: Equatable, Sendable {
        case saved, free, unreadable
    }

    /// Free pages that are left out, above N and below.
    let freePages: UInt64
    /// Pages above N that must not be read.
    let unreadablePages: UInt64
    /// Why free pages are saved like others; nil if they are left out.
    let freeProblem: Failure?
    /// Whether kernel A may rely on its free pages being zeros.
    let keepsZeros: Bool
    private let marks: PageMarks
    /// Where the free pages of the backup ranges lie: normalized. Their places count as used, by kernel A's own kexec.
    private let relocated: [PhysicalRange]

    /// What page poisoning fills free pages with (include/linux/poison.h, `PAGE_POISON`); a kernel with `page_poison=1`
    /// checks it when it takes a page, so there free pages have to be saved as they are.
    private static let poison: UInt8 = 0xaa

    /// Looks at the marks of all pages, and compares the count of free ones with what kernel A counted itself.
    ///
    /// - Parameters:
    ///   - memory: kernel A's; its backup ranges are counted as well.
    ///   - ranges: physical addresses to be saved; cut so that no free block lies across a cut.
    ///   - expected: free pages that kernel A noted before the jump; nil if its note cannot be read.
    ///   - whileCounting: is called for each range, by any thread.
    /// - Throws: if the marks cannot be read, or a huge page has a memory error.
    init(
        _ memory: KernelMemory, _ marks: PageMarks, ranges: [PhysicalRange], expected: FreePageCount?,
        whileCounting: @escaping () -> Void = {}
    ) throws(Failure) {
        guard saveRangeByteCount / pageSize % marks.alignment == 0 else {
            throw Failure("find", "kernel A's free pages", "its allocator has blocks of \(marks.alignment) pages")
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

    /// What speaks against the free pages that were found.
    private static func problem(_ found: Tally, _ expected: FreePageCount?) -> Failure? {
        guard let expected else {
            return Failure("find", "kernel A's free pages", "kernel A's own count cannot be read")
        }
        guard expected.allows(found.free) else {
            return Failure(
                "find", "kernel A's free pages",
                "\(found.free) pages are marked free, but kernel A counted \(expected.free), and \(expected.onCPULists) on per-CPU lists"
            )
        }
        guard found.samples == 0 || found.poisoned < found.samples else {
            return Failure("leave out", "kernel A's free pages", "it poisons them, and checks that when it takes one")
        }
        return nil
    }

    /// What was seen of the marks.
    private struct Tally {
        /// How many pages are free.
        var free: UInt64 = 0
        /// Those whose contents were looked at, those among them that hold nothing but poison, and nothing but zeros.
        var samples = 0
        var poisoned = 0
        var zero = 0
        /// How many pages above N must not be read.
        var unreadable: UInt64 = 0
        /// Where the free pages lie that are in the backup ranges.
        var relocated: [PhysicalRange] = []
        var freeProblem: Failure?

        init() {}

        /// Looks at the first page of the first and of the last free block in the range.
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
                // Below N, kernel A itself has read and written the page when it jumped.
                case .unreadable: if !isBackedUp { unreadable += block.frameCount }
                case .impossible: impossible = block.lowerBound
                }
            }
            free = found
            self.unreadable = unreadable
            if let impossible {
                freeProblem = Failure(
                    "find", "kernel A's free pages", "frame \(impossible) is marked free with an impossible order")
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
                    if contents.allSatisfy({ $0 == poison }) { poisoned += 1 }
                    if contents.withUnsafeBytes({ isZero($0) }) { zero += 1 }
                }
            } catch { freeProblem = error }
        }

        /// Kernel A's kexec mostly took pages one beside the other, so that a range's 4096 are few ranges.
        private mutating func addRelocated(_ page: PhysicalRange) {
            if let last = relocated.last, last.upperBound == page.lowerBound {
                relocated[relocated.count - 1] = last.lowerBound..<page.upperBound
            } else if let last = relocated.last, page.upperBound == last.lowerBound {
                relocated[relocated.count - 1] = page.lowerBound..<last.upperBound
            } else {
                relocated.append(page)
            }
        }

        /// Takes in what was seen in another range.
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

    /// The parts of a range, in order, and what becomes of each.
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

    /// The pages among those of the range that hold what is free below N.
    private func relocated(in range: PhysicalRange) -> [PhysicalRange] {
        var (first, end) = (0, relocated.count)
        while first < end {
            let middle = (first + end) / 2
            if relocated[middle].upperBound <= range.lowerBound { first = middle + 1 } else { end = middle }
        }
        return relocated[first...].prefix { $0.lowerBound < range.upperBound }.map { $0.clamped(to: range) }
    }
}
