// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockStore
import ELF
import Linux
import MemoryImage
import PhysicalMemory

/// Takes a sample of the running kernel's memory through /proc/kcore: reads parts of it in an order that spreads them over
/// all memory, and packs and unpacks their pages with a codec, until the time is up or all is read.
///
/// The kernel itself guards the file: it gives zeros for pages that must not be read, and for pages that are not mapped
/// (6.12, fs/proc/kcore.c, `read_kcore_iter`).
final class MemorySampler: @unchecked Sendable {
    private let path: String
    private let info: VMCoreInfo
    private let parts: WorkQueue<SamplePart>
    private let device: BlockStore
    private let codec: Codec
    /// Whether free pages can be told apart.
    let tellsFreePages: Bool
    /// Pages of the sample, spread over all memory.
    private let kept = Locked<[TrialPages]>([])
    /// Chunks whose pages each thread keeps; many threads keep fewer, so that all together keep about as many.
    private static let keptPerThread = 4, keptTogether = 128
    /// Bytes of pages that a thread packs before it begins to measure.
    private static let warmUpByteCount: UInt64 = 256 << 10
    /// The largest number of workers in `work(threads:)`, and the bytes of memory for each: its pages, chunks and buffers.
    static let workLimit = 32, workByteCount: UInt64 = 12 << 20

    /// The memory as one thread reads it. All reads of one open /proc/kcore share a buffer without a lock (6.12,
    /// fs/proc/kcore.c, `open_kcore`), so each thread opens it for itself.
    private struct Source {
        let core: CoreFile
        /// nil if the marks of pages cannot be read: then all pages count as in use, as they do for kernel B.
        let marks: PageMarks?

        init(_ path: String, _ info: VMCoreInfo) throws(Failure) {
            core = try CoreFile(path)
            let kernel = try? KernelMemory(core, backupRanges: [], pageMap: BackupPageMap(sources: []), info: info)
            var marks: PageMarks?
            if let kernel { marks = try? PageMarks(kernel, info: info) }
            self.marks = marks
        }
    }

    /// - Parameters:
    ///   - path: /proc/kcore.
    ///   - memory: physical addresses of the memory that is saved, whole pages.
    ///   - device: a hibernation partition; nothing is written to it.
    init(
        _ path: String, _ info: VMCoreInfo, memory: [PhysicalRange], _ device: BlockStore, _ codec: Codec
    ) throws(Failure) {
        self.path = path
        self.info = info
        self.device = device
        self.codec = codec
        let source = try Source(path, info)
        tellsFreePages = source.marks.map { $0.freeProblem == nil } ?? false
        let alignment = (source.marks?.alignment ?? 1) * pageSize
        // /proc/kcore may lack the page at address 0. No part crosses the end of a segment, and segments may overlap.
        var rest = memory
        var readable: [PhysicalRange] = []
        for segment in source.core.segments {
            let own = [segment.addresses.wholePages]
            readable += rest.intersection(own)
            rest = rest.subtracting(own)
        }
        parts = WorkQueue(SamplePart.all(of: readable, windowByteCount: max(alignment, SamplePart.byteCount)))
    }

    /// Takes the sample.
    /// - Parameters:
    ///   - count: the number of threads.
    ///   - milliseconds: when they stop, each after at most one more chunk.
    func run(threads count: Int, milliseconds: UInt64) throws(Failure) -> MemorySample {
        let end = monotonicMilliseconds() + milliseconds
        let keptLimit = max(1, min(MemorySampler.keptPerThread, MemorySampler.keptTogether / max(1, count)))
        let sum = Locked(MemorySample())
        let workers = Workers(count: count)
        try workers.run { () throws(Failure) in
            let source = try Source(self.path, self.info)
            let trial = try ChunkTrial(self.device, codec: self.codec)
            let buffer = try Mapping(anonymous: Int(SamplePart.byteCount), isPopulated: true)
            var sample = MemorySample()
            var kept = [try TrialPages()]
            var next = self.parts.take()
            if let part = next { try self.warmUp(part, source, buffer.bytes) }
            // At least one part each, however slow the codec is.
            while let part = next {
                try self.take(part, source, trial, buffer.bytes, &sample, &kept, limit: keptLimit, until: end)
                next = workers.isStopping || monotonicMilliseconds() >= end ? nil : self.parts.take()
            }
            sample.chunks = try trial.finish()
            sum.withLock { $0.add(sample) }
            self.kept.withLock { all in for pages in kept where !pages.isEmpty { all.append(pages) } }
        }
        return sum.withLock { $0 }
    }

    /// Packs and unpacks a few pages that do not count: caches are empty at the first use of the code, and a short sample would
    /// take the time to fill them for that of all memory.
    private func warmUp(
        _ part: SamplePart, _ source: Source, _ buffer: UnsafeMutableRawBufferPointer
    ) throws(Failure) {
        let size = min(part.pages.byteCount, MemorySampler.warmUpByteCount)
        let first = SamplePart(
            window: part.window, pages: part.pages.lowerBound..<part.pages.lowerBound + size)
        let trial = try ChunkTrial(device, codec: codec)
        var sample = MemorySample()
        var kept = [try TrialPages()]
        try take(first, source, trial, buffer, &sample, &kept, limit: 1, until: .max)
        _ = try trial.finish()
    }

    /// The work of workers with pages of the sample, for `HibernationPartition.measureRates`.
    /// - Parameter count: the number of workers.
    func work(threads count: Int) throws(Failure) -> [TrialWork] {
        let kept = kept.withLock { $0 }
        guard !kept.isEmpty, count > 0 else { return [] }
        var work: [TrialWork] = []
        for thread in 0..<count {
            var own: [TrialPages] = []
            for number in stride(from: thread, to: kept.count, by: count) { own.append(kept[number]) }
            work.append(try TrialWork(device, codec: codec, own.isEmpty ? [kept[thread % kept.count]] : own))
        }
        return work
    }

    private func take(
        _ part: SamplePart, _ source: Source, _ trial: ChunkTrial, _ buffer: UnsafeMutableRawBufferPointer,
        _ sample: inout MemorySample, _ kept: inout [TrialPages], limit: Int,
        until end: UInt64
    ) throws(Failure) {
        var leftOut: [PhysicalRange] = []
        var free: [PhysicalRange] = []
        try source.marks?.find(in: part.window.frames) { kind, frames in
            guard kind != .impossible, let addresses = frames.addresses else { return }
            leftOut.append(addresses)
            if kind == .free { free.append(addresses) }
        }
        if part.pages.lowerBound == part.window.lowerBound, let first = free.first {
            let page = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(pageSize)])
            try source.core.read(first.lowerBound..<first.lowerBound + pageSize, into: page)
            sample.countFree(UnsafeRawBufferPointer(page))
        }
        for range in [part.pages].intersection(free) {
            try trial.addFreePages(firstFrame: range.frames.lowerBound, count: UInt32(range.frames.frameCount))
        }
        for range in [part.pages].subtracting(leftOut.normalized()) {
            let contents = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(range.byteCount)])
            try source.core.read(range, into: contents)
            if kept[kept.count - 1].isFull, kept.count < limit { kept.append(try TrialPages()) }
            kept[kept.count - 1].add(firstFrame: range.frames.lowerBound, UnsafeRawBufferPointer(contents))
            var isOver = false
            try trial.addPages(firstFrame: range.frames.lowerBound, UnsafeRawBufferPointer(contents)) {
                count, areZeros in
                if areZeros { sample.zeroPages += count } else { sample.dataPages += count }
                isOver = monotonicMilliseconds() > end
                return !isOver
            }
            if isOver { return }
        }
    }
}
