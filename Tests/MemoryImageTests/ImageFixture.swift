// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation

@testable import MemoryImage

/// A hibernation partition in a file, which exists as long as the object.
final class PartitionFile {
    let path = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)").path

    init(_ byteCount: UInt64 = 16 << 20) throws {
        try Data().write(to: URL(filePath: path))
        try resize(byteCount)
    }

    /// Formats it and opens it.
    func formatted() throws -> HibernationPartition {
        try HibernationPartition.format(path, label: "test", uuid: Self.uuid, [])
        return try HibernationPartition(path, .write)
    }

    static let uuid = Basics.UUID("01234567-89ab-4cde-8f01-23456789abcd") ?? .zero

    func resize(_ byteCount: UInt64) throws {
        let file = try require(FileHandle(forUpdatingAtPath: path))
        try file.truncate(atOffset: byteCount)
        try file.close()
    }

    var bytes: [UInt8] { get throws { Array(try Data(contentsOf: URL(filePath: path))) } }

    /// Writes bytes.
    func put(_ bytes: [UInt8], at offset: Int) throws {
        let file = try require(FileHandle(forUpdatingAtPath: path))
        try file.seek(toOffset: UInt64(offset))
        try file.write(contentsOf: Data(bytes))
        try file.close()
    }

    /// Changes a byte in place.
    func change(at offset: UInt64, _ change: (inout UInt8) -> Void) throws {
        let file = try require(FileHandle(forUpdatingAtPath: path))
        try file.seek(toOffset: offset)
        guard var byte = try file.read(upToCount: 1)?.first else { throw Failure("read", path, "it is too short") }
        change(&byte)
        try file.seek(toOffset: offset)
        try file.write(contentsOf: Data([byte]))
        try file.close()
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// The value, or a failed test.
private func require<T>(_ value: T?) throws -> T {
    guard let value else { throw Failure("open", "the test's file", "it is not there") }
    return value
}

/// Memory in fragments, with more runs and more pages than a chunk holds.
struct MemoryFixture {
    /// The contents of the pages of the image, by page frame number.
    var pages: [UInt64: [UInt8]] = [:]

    init(pageCount: UInt64 = 1500, seed: UInt64 = 1) {
        var random = seed
        var frame: UInt64 = 0x8000
        for i in 0..<pageCount {
            // Gaps make many runs.
            frame += 1 + (i % 7 == 6 ? 2 : 0) + (i % 100 == 0 ? 50 : 0)
            var page = [UInt8](repeating: 0, count: 4096)
            switch i % 5 {
            case 0: break
            case 1, 2: for j in 0..<4096 { page[j] = UInt8(truncatingIfNeeded: UInt64(j / 64) &+ i) }
            default:
                for j in 0..<4096 {
                    random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                    page[j] = UInt8(truncatingIfNeeded: random >> 56)
                }
            }
            pages[frame] = page
        }
    }

    var frames: [UInt64] { pages.keys.sorted() }

    /// Writes the pages as an image, with several builders in turn.
    @discardableResult
    func write(
        to partition: HibernationPartition, _ codec: Codec, state: Superblock.State = .ready,
        image: Basics.UUID = imageUUID
    ) throws -> ImageWriter {
        let writer = try ImageWriter(partition, imageUUID: image, codec: codec)
        let builders = try (0..<3).map { _ in try writer.makeChunkBuilder() }
        for (number, frame) in frames.enumerated() {
            let builder = builders[number / 40 % builders.count]
            guard let page = pages[frame] else { continue }
            if page.allSatisfy({ $0 == 0 }) {
                try builder.addZeros(firstFrame: frame, count: 1)
            } else {
                let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 8)
                defer { bytes.deallocate() }
                bytes.copyBytes(from: page)
                try builder.addData(firstFrame: frame, UnsafeRawBufferPointer(bytes))
            }
        }
        for builder in builders { try builder.flush() }
        var description = ImageDescription()
        description.host = "fixture"
        try writer.finish(description, state: state) { 1 }
        return writer
    }

    static let imageUUID = Basics.UUID("aaaaaaaa-89ab-4cde-8f01-23456789abcd") ?? .zero
}

/// A sink that keeps pages, by page frame number.
struct CollectingSink: PageSink {
    private(set) var pages: [UInt64: [UInt8]] = [:]
    private var pending: (PhysicalRange, UnsafeMutableRawBufferPointer)?

    mutating func memory(for addresses: PhysicalRange) throws(Failure) -> UnsafeMutableRawBufferPointer? {
        finish()
        // The memory is not zero before, as zero pages have to be written.
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(addresses.byteCount), alignment: 8)
        buffer.initializeMemory(as: UInt8.self, repeating: 0x5a)
        pending = (addresses, buffer)
        return buffer
    }

    mutating func leaveAlone(_ addresses: PhysicalRange) {}

    /// Takes the pages that were asked for last.
    mutating func finish() {
        guard let (addresses, buffer) = pending else { return }
        for offset in stride(from: 0, to: buffer.count, by: 4096) {
            pages[(addresses.lowerBound + UInt64(offset)) / 4096] = Array(buffer[offset..<offset + 4096])
        }
        buffer.deallocate()
        pending = nil
    }
}

extension ImageReader {
    /// All pages of the image.
    func collect() throws -> [UInt64: [UInt8]] {
        var sink = CollectingSink()
        let chunks = try makeChunkReader()
        for entry in try entries() { _ = try chunks.read(entry, into: &sink) }
        sink.finish()
        return sink.pages
    }

    /// All chunks of the image, in the order of the index.
    func entries() throws(Failure) -> [ChunkIndex.Entry] {
        var entries: [ChunkIndex.Entry] = []
        let queue = ChunkQueue(self)
        while let entry = try queue.take() { entries.append(entry) }
        return entries
    }
}
