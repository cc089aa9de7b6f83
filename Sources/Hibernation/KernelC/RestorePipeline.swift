// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import MemoryImage
import PhysicalMemory
import Synchronization

/// Restores an image's pages to their addresses. Each worker takes one chunk after another, reads it, verifies it, and only
/// then decodes it into place.
final class RestorePipeline: @unchecked Sendable {
    private let reader: ImageReader
    private let windows: MemoryWindows
    private let allowed: [PhysicalRange]
    private let state: ChildState
    private let workers: Workers
    /// Bytes of pages that the image may still list. This bounds the work for an image that lists pages more than once.
    private let remainingByteCount: Atomic<UInt64>

    /// Mapping windows kept for each worker: consecutive chunks of the image come from all the places at which kernel B's
    /// workers read.
    private static let windowsPerWorker = 4

    /// - Parameter allowed: the physical addresses that may be written, in whole pages: kernel A's saved memory.
    init(_ reader: ImageReader, _ device: MemoryDevice, allowed: [PhysicalRange], state: ChildState) {
        self.reader = reader
        let allowed = allowed.normalized()
        self.allowed = allowed
        remainingByteCount = Atomic(allowed.byteCount)
        self.state = state
        let count = pipelineWorkerCount(reader.partition.superblock.codec)
        workers = Workers(count: count)
        windows = MemoryWindows(device, allowed: allowed, limit: count * RestorePipeline.windowsPerWorker)
    }

    /// Restores all pages; returns when all workers have ended.
    /// - Throws: at the first chunk that is damaged or belongs to another image, and at the end if the pages are not exactly
    ///   kernel A's, each once.
    func run() throws(Failure) {
        let restored = try reader.readChunks(
            workers, into: { Sink(pipeline: self, view: MemoryView(self.windows)) }
        ) { pages in
            self.state.add(pages: pages.data)
            self.state.add(zeroPages: pages.zero - pages.free)
            self.state.beat()
        }
        guard restored.hasCounts(of: reader.partition.superblock),
            remainingByteCount.load(ordering: .relaxed) == 0, restored.sum == PageTally.sum(of: allowed)
        else {
            throw Failure(
                "restore", reader.partition.path,
                "its pages (\(restored.data) with data, \(restored.zero) not stored) do not match kernel A's memory map",
                isFinal: true)
        }
    }

    /// Lets workers write only to kernel A's memory, and no more pages than it has.
    private struct Sink: PageSink, ~Copyable {
        let pipeline: RestorePipeline
        var view: MemoryView

        mutating func memory(for addresses: PhysicalRange) throws(Failure) -> UnsafeMutableRawBufferPointer? {
            try count(addresses)
            return try view.memory(for: addresses)
        }

        /// Does not check the addresses: the sum over all pages does at the end.
        mutating func leaveAlone(_ addresses: PhysicalRange) throws(Failure) { try count(addresses) }

        private func count(_ addresses: PhysicalRange) throws(Failure) {
            let (_, left) = pipeline.remainingByteCount.wrappingSubtract(addresses.byteCount, ordering: .relaxed)
            guard left <= pipeline.allowed.byteCount else {
                throw Failure("restore", "kernel A's memory", "the image has more pages than kernel A", isFinal: true)
            }
        }
    }
}
