import Basics
import Linux
import MemoryImage
import PhysicalMemory
import Synchronization

/// Streams memory from a core file into an image: one worker per CPU, each taking window after window.
final class SavePipeline: @unchecked Sendable {
    private let core: CoreFile
    private let writer: ImageWriter
    private let windows: [AddressRange]
    private let state: ChildState
    private let nextWindow = Atomic<Int>(0)
    private let workers = Workers()

    /// Bytes of memory that a worker maps at once.
    static let windowByteCount: UInt64 = 16 << 20

    init(_ core: CoreFile, _ writer: ImageWriter, ranges: [AddressRange], state: ChildState) {
        self.core = core
        self.writer = writer
        self.state = state
        windows = SavePipeline.windows(ranges)
    }

    /// The ranges cut at multiples of the window's size.
    static func windows(_ ranges: [AddressRange]) -> [AddressRange] {
        var result: [AddressRange] = []
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
        while !workers.isStopping {
            let number = nextWindow.add(1, ordering: .relaxed).oldValue
            guard number < windows.count else { break }
            let window = windows[number]
            let mapping = try core.map(window)
            try save(UnsafeRawBufferPointer(mapping.bytes), firstFrame: window.lowerBound / pageSize, builder)
        }
        try builder.flush()
    }

    private func save(_ bytes: UnsafeRawBufferPointer, firstFrame: UInt64, _ builder: ChunkBuilder) throws(Failure) {
        let size = Int(pageSize)
        let pageCount = bytes.count / size
        var start = 0
        while start < pageCount {
            if workers.isStopping { return }
            let isRunOfZeros = isZero(UnsafeRawBufferPointer(rebasing: bytes[start * size..<(start + 1) * size]))
            var end = start + 1
            // A run of data is handed over in pieces of a chunk, so that progress is seen and failures are noticed.
            while end < pageCount, isRunOfZeros || end - start < ChunkHeader.maximumDataPages,
                isZero(UnsafeRawBufferPointer(rebasing: bytes[end * size..<(end + 1) * size])) == isRunOfZeros
            { end += 1 }
            let frame = firstFrame + UInt64(start)
            if isRunOfZeros {
                try builder.addZeros(firstFrame: frame, count: UInt32(end - start))
            } else {
                try builder.addData(
                    firstFrame: frame, UnsafeRawBufferPointer(rebasing: bytes[start * size..<end * size]))
            }
            state.add(pages: UInt64(end - start))
            start = end
        }
    }
}
