// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import Testing

@testable import MemoryImage

/// A sink that only records the calls.
private struct AskingSink: PageSink, ~Copyable {
    var asked: [PhysicalRange] = []
    var leftAlone: [PhysicalRange] = []
    private let memory: Mapping

    init() throws { memory = try Mapping(anonymous: Int(ChunkReader.pieceByteCount)) }

    mutating func memory(for addresses: PhysicalRange) throws(Failure) -> UnsafeMutableRawBufferPointer? {
        asked.append(addresses)
        return UnsafeMutableRawBufferPointer(rebasing: memory.bytes.prefix(Int(addresses.byteCount)))
    }

    mutating func leaveAlone(_ addresses: PhysicalRange) { leftAlone.append(addresses) }
}

/// How pages are put into chunks.
@Suite struct ChunkBuilderTests {
    private let file: PartitionFile
    private let writer: ImageWriter

    init() throws {
        file = try PartitionFile(32 << 20)
        writer = try ImageWriter(
            file.formatted(), imageUUID: MemoryFixture.imageUUID, codec: .none)
    }

    /// Adds pages, each of which begins with its frame number.
    private func add(_ frames: Range<UInt64>, to builder: ChunkBuilder) throws {
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: frames.count * 4096, alignment: 8)
        defer { bytes.deallocate() }
        bytes.initializeMemory(as: UInt8.self, repeating: 0x77)
        for (i, frame) in frames.enumerated() { bytes.storeBytes(of: frame, toByteOffset: i * 4096, as: UInt64.self) }
        try builder.addData(firstFrame: frames.lowerBound, UnsafeRawBufferPointer(bytes))
    }

    /// Completes the image, and gives the headers of its chunks in their order on the partition.
    private func finished() throws -> [ChunkHeader] {
        try writer.finish(ImageDescription(), state: .snapshot) { 0 }
        let bytes = try file.bytes
        let reader = try ImageReader(HibernationPartition(file.path))
        try reader.verify()
        return try reader.entries().map { entry in
            try bytes.withUnsafeBytes {
                try ChunkHeader(
                    decoding: UnsafeRawBufferPointer(
                        rebasing: $0[Int(entry.offset)..<Int(entry.offset) + Int(entry.byteCount)]))
            }
        }
    }

    private func expectFrames(_ frames: [Range<UInt64>]) throws {
        let pages = try ImageReader(HibernationPartition(file.path)).collect()
        #expect(Set(pages.keys) == Set(frames.flatMap { Array($0) }))
        for (frame, page) in pages {
            #expect(try page.span.bytes.integer(at: 0, as: UInt64.self) == frame)
            #expect(page[4095] == 0x77)
        }
    }

    @Test func splitsWhatIsMoreThanAChunkHolds() throws {
        let builder = try writer.makeChunkBuilder()
        try add(1000..<1700, to: builder)
        try builder.flush()
        let headers = try finished()
        #expect(headers.map(\.dataPages) == [256, 256, 188])
        #expect(headers.allSatisfy { $0.runs.count == 1 })
        try expectFrames([1000..<1700])
    }

    @Test func fillsAChunkBeforeItBeginsAnother() throws {
        let builder = try writer.makeChunkBuilder()
        try add(1000..<1200, to: builder)
        try add(3000..<3100, to: builder)
        try builder.flush()
        #expect(try finished().map(\.dataPages) == [256, 44])
        try expectFrames([1000..<1200, 3000..<3100])
    }

    /// A run that fills a chunk gets a chunk of its own, and comes back the same.
    @Test func givesAWholeChunkAChunkOfItsOwn() throws {
        let builder = try writer.makeChunkBuilder()
        try add(1000..<1010, to: builder)
        try add(2000..<2300, to: builder)
        try builder.addZeros(firstFrame: 4000, count: 3)
        try add(5000..<5256, to: builder)
        try add(6000..<6001, to: builder)
        try builder.flush()
        let headers = try finished()
        #expect(headers.map(\.dataPages) == [10, 256, 44, 256, 1])
        #expect(headers.map(\.zeroPages) == [0, 0, 3, 0, 0])
    }

    @Test func joinsPagesThatFollowEachOther() throws {
        let builder = try writer.makeChunkBuilder()
        for frame in 10..<20 as Range<UInt64> { try add(frame..<frame + 1, to: builder) }
        try builder.addZeros(firstFrame: 20, count: 5)
        try builder.addZeros(firstFrame: 25, count: 5)
        // Free pages are not zero pages.
        try builder.addFreePages(firstFrame: 40, count: 5)
        try builder.addFreePages(firstFrame: 45, count: 5)
        try builder.addZeros(firstFrame: 50, count: 5)
        // Neither the same page again nor the page before it follows.
        try add(31..<32, to: builder)
        try add(30..<31, to: builder)
        try builder.flush()
        let runs = try finished().flatMap(\.runs)
        #expect(
            runs == [
                PageRun(firstFrame: 10, count: 10, kind: .data), PageRun(firstFrame: 20, count: 10, kind: .zero),
                PageRun(firstFrame: 40, count: 10, kind: .free), PageRun(firstFrame: 50, count: 5, kind: .zero),
                PageRun(firstFrame: 31, count: 1, kind: .data), PageRun(firstFrame: 30, count: 1, kind: .data),
            ])
    }

    /// More fragments than fit into a header.
    @Test func splitsByRuns() throws {
        let builder = try writer.makeChunkBuilder()
        for i in 0..<600 as Range<UInt64> {
            try builder.addZeros(firstFrame: i * 4, count: 1)
            if i % 3 == 0 { try add(i * 4 + 2..<i * 4 + 3, to: builder) }
        }
        try builder.flush()
        let headers = try finished()
        #expect(headers.map(\.runs.count) == [496, 304])
        #expect(headers.flatMap(\.runs).map(\.firstFrame) == headers.flatMap(\.runs).map(\.firstFrame).sorted())
        #expect(headers.map(\.dataPages).reduce(0, +) == 200)
    }

    /// Clearing memory takes time, so the zero pages of a chunk are bounded, unless they are one run. Free pages take none.
    @Test func splitsZeros() throws {
        let builder = try writer.makeChunkBuilder()
        try builder.addFreePages(firstFrame: 1 << 31, count: 50_000)
        try builder.addZeros(firstFrame: 0, count: 4000)
        try builder.addZeros(firstFrame: 5000, count: 200)
        try builder.addFreePages(firstFrame: 1 << 29, count: 50_000)
        try builder.addZeros(firstFrame: 1 << 30, count: 1_000_000)
        try builder.flush()
        let headers = try finished()
        #expect(headers.map(\.zeroPages) == [54_000, 50_200, 1_000_000])
        #expect(headers.allSatisfy { $0.storedByteCount == 4096 && $0.payloadByteCount == 0 })
    }

    @Test func asksForNoMoreMemoryThanPromised() throws {
        let builder = try writer.makeChunkBuilder()
        try builder.addZeros(firstFrame: 100, count: 3000)
        try builder.addFreePages(firstFrame: 20_000, count: 3000)
        try add(9000..<9256, to: builder)
        try builder.flush()
        _ = try finished()
        let reader = try ImageReader(HibernationPartition(file.path))
        let chunks = try reader.makeChunkReader()
        var sink = try AskingSink()
        for entry in try reader.entries() { _ = try chunks.read(entry, into: &sink) }
        #expect(sink.asked.allSatisfy { $0.byteCount <= ChunkReader.pieceByteCount && !$0.isEmpty })
        let expected: [PhysicalRange] = [0x6_4000..<0xc1_c000, 0x232_8000..<0x242_8000]
        #expect(sink.asked.normalized() == expected)
        #expect(sink.leftAlone == [0x4e2_0000..<0x59d_8000])
    }

    /// An image may claim zeros for more memory than any machine has. A verifier does not walk through them.
    @Test(.timeLimit(.minutes(1))) func verifiesZerosWithoutLookingAtThem() throws {
        let builder = try writer.makeChunkBuilder()
        for run in 0..<400 as Range<UInt64> { try builder.addZeros(firstFrame: run << 31, count: .max >> 1) }
        try builder.flush()
        try writer.finish(ImageDescription(), state: .snapshot) { 0 }
        try ImageReader(HibernationPartition(file.path)).verify()
    }

    @Test(arguments: [1, 4095, 4097, 1_048_577]) func refusesPartsOfPages(count: Int) throws {
        let builder = try writer.makeChunkBuilder()
        let bytes = [UInt8](repeating: 1, count: count)
        #expect(throws: Failure.self) { try bytes.withUnsafeBytes { try builder.addData(firstFrame: 1, $0) } }
        try builder.addZeros(firstFrame: 5, count: 0)
        try builder.addFreePages(firstFrame: 5, count: 0)
        try builder.flush()
        #expect(try finished().isEmpty)
    }

    @Test func writesNothingWhereNothingWasAdded() throws {
        let builder = try writer.makeChunkBuilder()
        try builder.flush()
        #expect(try finished().isEmpty)
        let superblock = try HibernationPartition(file.path).superblock
        #expect(superblock.state == .snapshot && superblock.counts.chunks == 0 && superblock.counts.dataPages == 0)
    }

    /// Builders on all CPUs write to one partition, and never to the same place.
    @Test func workersWriteSideBySide() throws {
        let writer = self.writer
        let list = WorkQueue((0..<60 as Range<UInt64>).map { $0 * 50..<$0 * 50 + 40 })
        try Workers().run { () throws(Failure) in
            let builder = try writer.makeChunkBuilder()
            while let frames = list.take() {
                do {
                    try add(frames, to: builder)
                } catch { throw error as? Failure ?? Failure("add", "pages", "\(error)") }
            }
            try builder.flush()
        }
        let headers = try finished()
        #expect(Set(headers.map(\.sequence)) == Set(0..<UInt64(headers.count)))
        #expect(try HibernationPartition(file.path).superblock.counts.dataPages == 2400)
        try expectFrames(list.items)
    }
}
