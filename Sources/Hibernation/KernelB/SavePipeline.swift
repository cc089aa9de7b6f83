// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import MemoryImage
import PhysicalMemory

/// Streams memory from a core file into an image. Each worker takes one save range after another, spread over all memory, so
/// that the remaining ranges resemble the finished ones and the estimate of the time left holds.
final class SavePipeline: @unchecked Sendable {
    private let core: CoreFile
    private let writer: ImageWriter
    /// The save ranges, in the order in which workers take them.
    let ranges: WorkQueue<PhysicalRange>
    private let filter: FreePageFilter?
    private let state: ChildState
    private let workers: Workers

    /// - Parameters:
    ///   - ranges: physical addresses to save, as `saveRanges(_:)` cuts them.
    ///   - filter: decides which pages are not read; nil to read all.
    init(
        _ core: CoreFile, _ writer: ImageWriter, ranges: [PhysicalRange], filter: FreePageFilter?, state: ChildState
    ) {
        self.core = core
        self.writer = writer
        self.ranges = WorkQueue(spread(ranges))
        self.filter = filter
        self.state = state
        workers = Workers(count: pipelineWorkerCount(writer.codec))
    }

    /// Cuts ranges at multiples of `saveRangeByteCount`.
    static func saveRanges(_ ranges: [PhysicalRange]) -> [PhysicalRange] {
        var result: [PhysicalRange] = []
        for range in ranges {
            var start = range.lowerBound
            while start < range.upperBound {
                let end = min(range.upperBound, (start / saveRangeByteCount + 1) * saveRangeByteCount)
                result.append(start..<end)
                start = end
            }
        }
        return result
    }

    /// Saves all ranges; returns when all workers have ended.
    func run() throws(Failure) {
        try workers.run { () throws(Failure) in try self.work() }
    }

    private func work() throws(Failure) {
        let builder = try writer.makeChunkBuilder()
        while !workers.isStopping, let range = ranges.take() { try save(range, builder) }
        try builder.flush()
    }

    private func save(_ range: PhysicalRange, _ builder: ChunkBuilder) throws(Failure) {
        let parts = try filter?.split(range) ?? [(range, FreePageFilter.Kind.saved)]
        if parts.allSatisfy({ $0.kind != .saved }) {
            for part in parts { try addLeftOut(part.addresses, part.kind, builder) }
            return
        }
        // One mapping for the whole range, because each unmapping interrupts the other workers. Pages that must not be read
        // are mapped too, but not read.
        let mapping = try core.map(range)
        for (addresses, kind) in parts where !workers.isStopping {
            guard kind == .saved else {
                try addLeftOut(addresses, kind, builder)
                continue
            }
            let start = Int(addresses.lowerBound - range.lowerBound)
            let contents = UnsafeRawBufferPointer(rebasing: mapping.bytes[start..<start + Int(addresses.byteCount)])
            try builder.addPages(firstFrame: addresses.frames.lowerBound, contents) { count, areZeros in
                if areZeros { state.add(zeroPages: count) } else { state.add(pages: count) }
                return !workers.isStopping
            }
        }
    }

    /// Records pages without reading them. Kernel C does not touch pages that must not be read either.
    private func addLeftOut(
        _ addresses: PhysicalRange, _ kind: FreePageFilter.Kind, _ builder: ChunkBuilder
    ) throws(Failure) {
        let frames = addresses.frames
        if kind == .free, filter?.keepsZeros ?? true {
            try builder.addZeros(firstFrame: frames.lowerBound, count: UInt32(frames.frameCount))
        } else {
            try builder.addFreePages(firstFrame: frames.lowerBound, count: UInt32(frames.frameCount))
        }
        // No page is moved, but this is progress.
        state.beat()
    }
}
