// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Linux

@testable import MemoryImage

/// The memory that an image holds: what is written, and what every later look has to find.
struct SavedImage {
    let uuid: Basics.UUID
    let codec: Codec
    /// Ascending and disjoint.
    let runs: [PageRun]
    private let seed: UInt64
    /// The checksums of pages, by frame, of an image that something else wrote.
    private let recorded: [UInt64: UInt64]?

    /// A small image; now and then one that does not fit onto the smallest partition.
    init(_ random: inout SimulationRandom) {
        uuid = random.uuid()
        codec = random.pick([.none, .none, .none, .lz4, .lz4, .lz4, .lz4, .zstd(level: 1)])
        seed = random.next()
        let isLarge = random.chance(3)
        var frame = UInt64(0x100 + random.below(64))
        var runs: [PageRun] = []
        for _ in 0..<(isLarge ? 3 : 1 + random.below(10)) {
            frame += UInt64(random.below(3))
            let kind = isLarge ? .data : random.pick([PageRun.Kind.data, .data, .data, .zero, .free])
            let count = isLarge ? ChunkHeader.maximumDataPages : 1 + random.below(5)
            runs.append(PageRun(firstFrame: frame, count: UInt32(count), kind: kind))
            frame += UInt64(count)
        }
        self.runs = runs
        recorded = nil
    }

    /// An image that is there already, with the checksums of its pages.
    init(uuid: Basics.UUID, codec: Codec, runs: [PageRun], recorded: [UInt64: UInt64]) {
        self.uuid = uuid
        self.codec = codec
        self.runs = runs
        self.recorded = recorded
        seed = 0
    }

    /// Bytes that do not compress, for all images.
    private static let noise: [UInt8] = {
        var random = SimulationRandom(seed: 1)
        var bytes: [UInt8] = []
        for _ in 0..<16 * blockSize / 8 { bytes.append(littleEndian: random.next()) }
        return bytes
    }()

    /// Puts the contents of a stored page into memory.
    private func fill(_ page: UnsafeMutableRawPointer, frame: UInt64) {
        let mixed = frame &* 0x9e37_79b9 &+ seed
        if mixed % 4 == 0 {
            Self.noise.withUnsafeBytes { noise in
                let start = Int(mixed >> 8 % 15) * blockSize
                if let source = noise.baseAddress?.advanced(by: start) { memcpy(page, source, blockSize) }
            }
        } else {
            memset(page, CInt(mixed >> 8 & 0x7f | 1), blockSize)
        }
        page.storeBytes(of: frame, as: UInt64.self)
        page.storeBytes(of: seed, toByteOffset: 8, as: UInt64.self)
        page.storeBytes(of: mixed, toByteOffset: blockSize - 8, as: UInt64.self)
    }

    /// Whether a page holds what it should.
    private func holds(_ page: UnsafeRawPointer, frame: UInt64, _ scratch: UnsafeMutableRawPointer) -> Bool {
        if let recorded {
            return recorded[frame] == xxh64(UnsafeRawBufferPointer(start: page, count: blockSize))
        }
        guard let run = runs.first(where: { frame >= $0.firstFrame && frame - $0.firstFrame < UInt64($0.count) }) else {
            return false
        }
        switch run.kind {
        case .data:
            fill(scratch, frame: frame)
            return memcmp(page, scratch, blockSize) == 0
        case .zero: return isZero(UnsafeRawBufferPointer(start: page, count: blockSize))
        case .free: return false
        }
    }

    // MARK: Writing

    /// Writes the pages by several builders, in an order that follows from the seed.
    /// - Parameter stop: how many runs are written before the writer dies; nil for all.
    /// - Returns: false if it died.
    func write(
        _ writer: ImageWriter, _ random: inout SimulationRandom, memory: UnsafeMutableRawPointer, stop: Int?
    ) throws(Failure) -> Bool {
        var builders: [ChunkBuilder] = []
        for _ in 0...random.below(3) { builders.append(try ChunkBuilder(writer, isPopulated: false)) }
        for (number, run) in runs.enumerated() {
            if number == stop { return false }
            let builder = random.pick(builders)
            switch run.kind {
            case .data:
                for i in 0..<Int(run.count) {
                    fill(memory.advanced(by: i * blockSize), frame: run.firstFrame + UInt64(i))
                }
                try builder.addData(
                    firstFrame: run.firstFrame,
                    UnsafeRawBufferPointer(start: memory, count: Int(run.count) * blockSize))
            case .zero: try builder.addZeros(firstFrame: run.firstFrame, count: run.count)
            case .free: try builder.addFreePages(firstFrame: run.firstFrame, count: run.count)
            }
            if random.chance(50) { try builder.flush() }
        }
        for builder in builders { try builder.flush() }
        return true
    }

    // MARK: Reading

    /// Reads the image on a partition as kernel C does.
    /// - Returns: how it differs from what was saved; nil if it does not.
    func difference(
        _ reader: ImageReader, memory: UnsafeMutableRawPointer, scratch: UnsafeMutableRawPointer
    ) throws(Failure) -> String? {
        guard reader.partition.superblock.imageUUID == uuid else { return "it is another image" }
        let chunks = try ChunkReader(reader, isPopulated: false)
        let queue = ChunkQueue(reader)
        var sink = Sink(image: self, memory: memory, scratch: scratch)
        var tally = PageTally()
        while let entry = try queue.take() { tally = tally + (try chunks.read(entry, into: &sink)) }
        sink.compare()
        if let frame = sink.wrongFrame { return "page frame \(frame) has other contents" }
        let sum = runs.reduce(0) { sum, run in
            sum &+ PageTally.sum(of: run.firstFrame..<run.firstFrame + UInt64(run.count))
        }
        guard tally.hasCounts(of: reader.partition.superblock), tally.sum == sum else { return "it has other pages" }
        return nil
    }

    /// Compares pages with what was saved.
    private struct Sink: PageSink {
        let image: SavedImage
        let memory: UnsafeMutableRawPointer
        let scratch: UnsafeMutableRawPointer
        var taken: PhysicalRange?
        var wrongFrame: UInt64?

        mutating func memory(for addresses: PhysicalRange) throws(Failure) -> UnsafeMutableRawBufferPointer? {
            compare()
            taken = addresses
            // Zeros have to be written.
            memset(memory, 0x5a, Int(addresses.byteCount))
            return UnsafeMutableRawBufferPointer(start: memory, count: Int(addresses.byteCount))
        }

        mutating func leaveAlone(_ addresses: PhysicalRange) {}

        /// Looks at the pages that were asked for last.
        mutating func compare() {
            guard let addresses = taken else { return }
            taken = nil
            for (number, frame) in addresses.frames.numbers.enumerated() where wrongFrame == nil {
                let page = UnsafeRawPointer(memory).advanced(by: number * blockSize)
                if !image.holds(page, frame: frame, scratch) { wrongFrame = frame }
            }
        }
    }

    /// Records an image that is on a partition.
    static func record(_ reader: ImageReader) throws(Failure) -> SavedImage {
        let superblock = reader.partition.superblock
        let chunks = try ChunkReader(reader)
        let queue = ChunkQueue(reader)
        var sink = try Recorder()
        var runs: [PageRun] = []
        while let entry = try queue.take() { _ = try chunks.read(entry, into: &sink) }
        sink.finish()
        for frame in sink.pages.keys.sorted() { runs.append(PageRun(firstFrame: frame, count: 1, kind: .data)) }
        return SavedImage(
            uuid: superblock.imageUUID, codec: superblock.codec, runs: runs + sink.free, recorded: sink.pages)
    }

    private struct Recorder: PageSink, ~Copyable {
        private let memory: Mapping
        private var taken: PhysicalRange?
        private(set) var pages: [UInt64: UInt64] = [:]
        private(set) var free: [PageRun] = []

        init() throws(Failure) { memory = try Mapping(anonymous: Int(ChunkReader.pieceByteCount)) }

        mutating func memory(for addresses: PhysicalRange) throws(Failure) -> UnsafeMutableRawBufferPointer? {
            finish()
            taken = addresses
            return UnsafeMutableRawBufferPointer(rebasing: memory.bytes[..<Int(addresses.byteCount)])
        }

        mutating func leaveAlone(_ addresses: PhysicalRange) {
            let frames = addresses.frames
            free.append(
                PageRun(firstFrame: frames.lowerBound, count: UInt32(frames.frameCount), kind: .free))
        }

        mutating func finish() {
            guard let addresses = taken else { return }
            taken = nil
            for (number, frame) in addresses.frames.numbers.enumerated() {
                let page = memory.bytes[number * blockSize..<(number + 1) * blockSize]
                pages[frame] = xxh64(UnsafeRawBufferPointer(rebasing: page))
            }
        }
    }
}
