// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockStore
import Testing

@testable import MemoryImage

@Suite struct TrialWorkTests {
    /// Pages in fragments, of which some are zeros.
    private func pages(_ count: Int, seed: UInt64) throws -> TrialPages {
        let pages = try TrialPages()
        let fixture = MemoryFixture(pageCount: UInt64(count), seed: seed)
        for frame in fixture.frames {
            (fixture.pages[frame] ?? []).withUnsafeBytes { pages.add(firstFrame: frame, $0) }
        }
        return pages
    }

    @Test(arguments: [Codec.none, .lz4, .zstd(level: 1), .xz(level: 0)]) func repeatsTheSameWork(codec: Codec) throws {
        let file = try PartitionFile(4 << 20)
        _ = try file.formatted()
        let before = try file.bytes
        let work = try TrialWork(DeviceStore(file.path), codec: codec, [pages(100, seed: 1), pages(60, seed: 2)])
        #expect(work.byteCount > 0 && work.largest > 0 && work.largest <= work.byteCount)
        for _ in 0..<3 {
            var written: [Int] = [], read: [Int] = []
            try work.pack { written.append($0) }
            try work.unpack { read.append($0) }
            #expect(written == read && written.count == 2 && written.reduce(0, +) == work.byteCount)
        }
        #expect(try file.bytes == before)
    }

    @Test func keepsAtMostAChunk() throws {
        let pages = try TrialPages()
        #expect(pages.isEmpty && !pages.isFull)
        let large = [UInt8](repeating: 1, count: ChunkHeader.maximumPayloadByteCount + 4096)
        large.withUnsafeBytes { pages.add(firstFrame: 1, $0) }
        #expect(pages.isFull && !pages.isEmpty)
        large.withUnsafeBytes { pages.add(firstFrame: 9, $0) }
        let fragments = try TrialPages()
        var count = 0
        while !fragments.isFull {
            large.prefix(4096).withUnsafeBytes { fragments.add(firstFrame: UInt64(count) * 3, $0) }
            count += 1
        }
        #expect(count <= ChunkHeader.maximumRuns)
        let file = try PartitionFile(4 << 20)
        _ = try file.formatted()
        let work = try TrialWork(DeviceStore(file.path), codec: .none, [pages, fragments])
        var written: [Int] = []
        try work.pack { written.append($0) }
        #expect(written.count == 2 && written[0] >= ChunkHeader.maximumPayloadByteCount)
    }

    @Test func hasAFailureOfTheDisk() throws {
        let file = try PartitionFile(4 << 20)
        _ = try file.formatted()
        let work = try TrialWork(DeviceStore(file.path), codec: .lz4, [pages(20, seed: 1)])
        let failure = #expect(throws: Failure.self) {
            try work.pack { (_) throws(Failure) in throw Failure("write", "the disk", "it is gone") }
        }
        #expect(failure?.reason == "it is gone")
        #expect(throws: Failure.self) {
            try work.unpack { (_) throws(Failure) in throw Failure("read", "the disk", "it is gone") }
        }
    }
}
