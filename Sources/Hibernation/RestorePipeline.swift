import Basics
import Linux
import MemoryImage
import PhysicalMemory
import Synchronization

/// Puts an image's pages back to where they were: each worker taking chunk after chunk, which it reads,
/// verifies and only then decodes into place.
final class RestorePipeline: @unchecked Sendable {
    private let reader: ImageReader
    private let device: MemoryDevice
    private let allowed: [AddressRange]
    private let state: ChildState
    private let workers: Workers
    private let dataPages = Atomic<UInt64>(0)
    private let zeroPages = Atomic<UInt64>(0)

    /// - Parameter allowed: the addresses that may be written, as whole pages: kernel A's saved memory.
    init(_ reader: ImageReader, _ device: MemoryDevice, allowed: [AddressRange], state: ChildState) {
        self.reader = reader
        self.device = device
        self.allowed = allowed.normalized()
        self.state = state
        workers = Workers(count: pipelineWorkerCount(reader.partition.superblock.codec))
    }

    /// Restores everything; returns when all workers have ended.
    /// - Throws: at the first chunk that is damaged or belongs elsewhere, and where the counts are not the image's.
    func run() throws(Failure) {
        try workers.run { () throws(Failure) in try self.work() }
        let counts = reader.partition.superblock.counts
        let restored = (dataPages.load(ordering: .relaxed), zeroPages.load(ordering: .relaxed))
        guard restored == (counts.dataPages, counts.zeroPages),
            restored.0 + restored.1 == allowed.byteCount / pageSize
        else {
            throw Failure(
                "restore", reader.partition.path,
                "its \(restored.0) pages of data and \(restored.1) of zeros are not kernel A's memory")
        }
    }

    private struct Sink: PageSink, ~Copyable {
        var window: MemoryWindow
        mutating func memory(for addresses: AddressRange) throws(Failure) -> UnsafeMutableRawBufferPointer? {
            try window.memory(for: addresses)
        }
    }

    private func work() throws(Failure) {
        let chunks = try reader.makeChunkReader()
        var sink = Sink(window: MemoryWindow(device, allowed: allowed))
        while !workers.isStopping, let entry = reader.takeEntry() {
            let pages = try chunks.read(entry, into: &sink)
            dataPages.add(pages.data, ordering: .relaxed)
            zeroPages.add(pages.zero, ordering: .relaxed)
            state.add(pages: pages.data + pages.zero)
        }
    }
}
