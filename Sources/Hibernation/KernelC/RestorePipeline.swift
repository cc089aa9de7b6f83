// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import MemoryImage
import PhysicalMemory
import Synchronization

/// Puts an image's pages back to where they were: each worker taking chunk after chunk, which it reads,
/// verifies and only then decodes into place.
final class RestorePipeline: @unchecked Sendable {
    private let reader: ImageReader
    private let queue: ChunkQueue
    private let windows: MemoryWindows
    private let allowed: [PhysicalRange]
    private let state: ChildState
    private let workers: Workers
    private let tally = Locked(PageTally())
    /// Bytes that workers may still ask for: an image that lists pages again and again ends there.
    private let room: Atomic<UInt64>

    /// Windows that are kept for each worker: chunks that follow each other in the image are from all the places where
    /// kernel B's workers were.
    private static let windowsPerWorker = 4

    /// - Parameter allowed: the addresses that may be written, as whole pages: kernel A's saved memory.
    init(_ reader: ImageReader, _ device: MemoryDevice, allowed: [PhysicalRange], state: ChildState) {
        self.reader = reader
        queue = ChunkQueue(reader)
        let allowed = allowed.normalized()
        self.allowed = allowed
        room = Atomic(allowed.byteCount)
        self.state = state
        let count = pipelineWorkerCount(reader.partition.superblock.codec)
        workers = Workers(count: count)
        windows = MemoryWindows(device, allowed: allowed, limit: count * RestorePipeline.windowsPerWorker)
    }

    /// Restores everything; returns when all workers have ended.
    /// - Throws: at the first chunk that is damaged or belongs elsewhere, and where the pages are not kernel A's, each once.
    func run() throws(Failure) {
        try workers.run { () throws(Failure) in try self.work() }
        let restored = tally.withLock { $0 }
        guard restored.hasCounts(of: reader.partition.superblock),
            room.load(ordering: .relaxed) == 0, restored.sum == PageTally.sum(of: allowed)
        else {
            throw Failure(
                "restore", reader.partition.path,
                "its \(restored.data) pages of data and \(restored.zero) that are not stored are not kernel A's memory",
                isFinal: true)
        }
    }

    /// Lets workers write where kernel A's memory was, and no more than there was.
    private struct Sink: PageSink, ~Copyable {
        let pipeline: RestorePipeline
        var view: MemoryView

        mutating func memory(for addresses: PhysicalRange) throws(Failure) -> UnsafeMutableRawBufferPointer? {
            try count(addresses)
            return try view.memory(for: addresses)
        }

        /// Whether they are kernel A's is seen when all pages are summed up.
        mutating func leaveAlone(_ addresses: PhysicalRange) throws(Failure) { try count(addresses) }

        private func count(_ addresses: PhysicalRange) throws(Failure) {
            let (_, left) = pipeline.room.wrappingSubtract(addresses.byteCount, ordering: .relaxed)
            guard left <= pipeline.allowed.byteCount else {
                throw Failure("restore", "kernel A's memory", "the image holds more pages than it has", isFinal: true)
            }
        }
    }

    private func work() throws(Failure) {
        let chunks = try reader.makeChunkReader()
        var sink = Sink(pipeline: self, view: MemoryView(windows))
        while !workers.isStopping, let entry = try queue.take() {
            let pages = try chunks.read(entry, into: &sink)
            tally.withLock { $0 = $0 + pages }
            state.add(pages: pages.data)
            state.add(zeroPages: pages.zero - pages.free)
            state.beat()
        }
    }
}
