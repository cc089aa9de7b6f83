// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockStore
import Fixtures
import Testing

@testable import MemoryImage

@Suite struct ChunkTrialTests {
    /// Pages as `MemoryFixture` has them: with zero pages, pages that compress, and pages that do not.
    private func add(_ fixture: MemoryFixture, to trial: ChunkTrial) throws -> (data: UInt64, zeros: UInt64) {
        var data: UInt64 = 0, zeros: UInt64 = 0
        for frame in fixture.frames {
            try (fixture.pages[frame] ?? []).withUnsafeBytes { bytes in
                try trial.addPages(firstFrame: frame, bytes) { count, areZeros in
                    if areZeros { zeros += count } else { data += count }
                    return true
                }
            }
        }
        return (data, zeros)
    }

    @Test(arguments: [Codec.none, .lz4, .zstd(level: 1), .xz(level: 0)]) func packsAsAnImageDoes(codec: Codec) throws {
        let file = try PartitionFile()
        let partition = try file.formatted()
        let before = try file.bytes
        let fixture = MemoryFixture(pageCount: 1500)
        let trial = try ChunkTrial(try DeviceStore(file.path), codec: codec)
        let pages = try add(fixture, to: trial)
        try trial.addFreePages(firstFrame: 1 << 30, count: 100)
        let result = try trial.finish()
        #expect(try file.bytes == before)
        #expect(result.packNanoseconds > 0 && result.unpackNanoseconds > 0)
        // A real image is made by several builders, so its chunks are cut in other places.
        try fixture.write(to: partition, codec)
        let counts = partition.superblock.counts
        #expect(pages.data == counts.dataPages && pages.zeros == counts.zeroPages)
        let stored = counts.storedBytes - partition.dataArea.lowerBound
        #expect(result.byteCount <= stored + stored / 20 && result.byteCount >= stored - stored / 20)
        #expect(result.chunks > 0 && result.chunks <= counts.chunks)
    }

    /// A sample may be larger than the partition, and have more chunks than a block of the index.
    @Test func hasNoLimits() throws {
        let file = try PartitionFile(4 << 20)
        _ = try file.formatted()
        let trial = try ChunkTrial(try DeviceStore(file.path), codec: .none)
        let pages = [UInt8](repeating: 0x5a, count: 256 * 4096)
        var result = ChunkTrial.Result()
        for _ in 0..<16 {
            try pages.withUnsafeBytes { try trial.addPages(firstFrame: 0x8000, $0) { _, _ in true } }
        }
        for _ in 0..<IndexBlock.maximumEntries {
            try trial.addFreePages(firstFrame: 0x8000, count: 1)
            result = try trial.finish()
        }
        #expect(result.chunks == 16 + UInt64(IndexBlock.maximumEntries) && result.byteCount > 16 << 20)
    }

    @Test(arguments: ["v1-empty", "v2-empty"]) func worksOnEveryVersion(name: String) throws {
        let bytes = try GoldenFiles.bytes(of: name)
        let file = try PartitionFile(UInt64(bytes.count))
        try file.put(bytes, at: 0)
        let trial = try ChunkTrial(try DeviceStore(file.path), codec: .lz4)
        try trial.addFreePages(firstFrame: 0x8000, count: 1)
        #expect(try trial.finish().chunks == 1)
    }

    @Test func hasNothingWithoutPages() throws {
        let file = try PartitionFile()
        _ = try file.formatted()
        let result = try ChunkTrial(try DeviceStore(file.path), codec: .lz4).finish()
        #expect(result.chunks == 0 && result.byteCount == 0 && result.unpackNanoseconds == 0)
    }
}
