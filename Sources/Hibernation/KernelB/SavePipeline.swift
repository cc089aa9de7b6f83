// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import MemoryImage
import PhysicalMemory

/// Streams memory from a core file into an image: each worker taking window after window, from all over the memory, so that
/// what is left is like what was seen.
final class SavePipeline: @unchecked Sendable {
    private let core: CoreFile
    private let writer: ImageWriter
    /// The windows, in the order in which they are taken.
    let windows: WorkQueue<PhysicalRange>
    private let selection: FreePageFilter?
    private let state: ChildState
    private let workers: Workers

    /// Bytes of memory that a worker maps at once; a free block of the largest order divides it.
    static let windowByteCount: UInt64 = 16 << 20

    /// - Parameters:
    ///   - windows: physical addresses to be saved, as `windows(_:)` cuts them.
    ///   - selection: tells which of them need not be read; nil reads all.
    init(
        _ core: CoreFile, _ writer: ImageWriter, windows: [PhysicalRange], selection: FreePageFilter?, state: ChildState
    ) {
        self.core = core
        self.writer = writer
        self.windows = WorkQueue(spread(windows))
        self.selection = selection
        self.state = state
        workers = Workers(count: pipelineWorkerCount(writer.codec))
    }

    /// The ranges cut at multiples of the window's size.
    static func windows(_ ranges: [PhysicalRange]) -> [PhysicalRange] {
        var result: [PhysicalRange] = []
        for range in ranges {
            var start = range.lowerBound
            while start < range.upperBound {
                let end = min(range.upperBound, (start / windowByteCount + 1) * windowByteCount)
                result.append(start..<end)
                start = end
            }
        }
        return result
    }

    /// Saves everything; returns when all workers have ended.
    func run() throws(Failure) {
        try workers.run { () throws(Failure) in try self.work() }
    }

    private func work() throws(Failure) {
        let builder = try writer.makeChunkBuilder()
        while !workers.isStopping, let window = windows.take() { try save(window, builder) }
        try builder.flush()
    }

    private func save(_ window: PhysicalRange, _ builder: ChunkBuilder) throws(Failure) {
        let parts = try selection?.split(window) ?? [(window, FreePageFilter.Kind.saved)]
        if parts.allSatisfy({ $0.kind != .saved }) {
            for part in parts { try addLeftOut(part.addresses, part.kind, builder) }
            return
        }
        // As a whole, since each unmapping interrupts the other workers. Pages that must not be read are mapped with the
        // others, and nobody looks at them.
        let mapping = try core.map(window)
        for (addresses, kind) in parts where !workers.isStopping {
            guard kind == .saved else {
                try addLeftOut(addresses, kind, builder)
                continue
            }
            let start = Int(addresses.lowerBound - window.lowerBound)
            let contents = UnsafeRawBufferPointer(rebasing: mapping.bytes[start..<start + Int(addresses.byteCount)])
            try builder.addPages(firstFrame: addresses.lowerBound / pageSize, contents) { count, areZeros in
                if areZeros { state.add(zeroPages: count) } else { state.add(pages: count) }
                return !workers.isStopping
            }
        }
    }

    /// Records pages without reading them. Kernel C does not touch those that must not be read either.
    private func addLeftOut(
        _ addresses: PhysicalRange, _ kind: FreePageFilter.Kind, _ builder: ChunkBuilder
    ) throws(Failure) {
        let first = addresses.lowerBound / pageSize
        let count = addresses.byteCount / pageSize
        if kind == .free, selection?.keepsZeros ?? true {
            try builder.addZeros(firstFrame: first, count: UInt32(count))
        } else {
            try builder.addFreePages(firstFrame: first, count: UInt32(count))
        }
        // Nothing is moved.
        state.beat()
    }
}
