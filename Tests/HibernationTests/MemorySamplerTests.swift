// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockStore
import PhysicalMemory
import Testing

@testable import Hibernation
@testable import MemoryImage

@Suite struct MemorySamplerTests: SaveFixture {
    let folder: TemporaryFolder
    let partition: HibernationPartition

    init() throws {
        folder = try TemporaryFolder()
        partition = try folder.partition()
    }

    private func sampler(
        _ fixture: CoreFixture, codec: Codec = .lz4, info: VMCoreInfo = CoreFixture.info
    ) throws -> MemorySampler {
        _ = try fixture.write(to: folder.path("core"))
        return try MemorySampler(
            folder.path("core"), info, memory: [CoreFixture.memory], DeviceStore(partition.path), codec)
    }

    /// With enough time the sample is the whole memory, and takes what its image takes.
    @Test(arguments: [Codec.lz4, .zstd(level: 1), .none]) func agreesWithTheImage(codec: Codec) throws {
        var fixture = CoreFixture()
        for (page, order) in [(64, 6), (128, 5), (200, 3), (399, 0)] as [(UInt64, UInt64)] {
            fixture.markFree(page, order: order)
        }
        let sample = try sampler(fixture, codec: codec).run(threads: 2, milliseconds: 60_000)
        let writer = try ImageWriter(partition, imageUUID: .zero, codec: codec)
        let filter = try selection(fixture, expected: 105)
        try SavePipeline(
            fixture.write(to: folder.path("core")), writer, ranges: Self.windows, filter: filter,
            state: try ChildState()
        ).run()
        try writer.finish(ImageDescription(), state: .ready) { 0 }
        let counts = partition.superblock.counts
        #expect(sample.dataPages == counts.dataPages)
        #expect(sample.zeroPages == counts.zeroPages - counts.freePages)
        #expect(sample.pages == CoreFixture.pageCount - 105)
        // The description, a block of the index and its table take a block each.
        let stored = Double(counts.storedBytes - partition.dataArea.lowerBound - UInt64(3 * blockSize))
        #expect((0.9...1.1).contains(Double(sample.chunks.byteCount) / stored))
        #expect(sample.chunks.packNanoseconds > 0 && sample.chunks.unpackNanoseconds > 0)
        #expect(sample.freeSamples == 1 && sample.zeroSamples == 0 && !sample.isPoisoned)
    }

    /// Pages that must not be read are not.
    @Test func leavesOutUnreadablePages() throws {
        var fixture = CoreFixture()
        fixture.set(mark: .max, flags: 1 << 21, of: 30)
        let info = CoreFixture.info(adding: ["OFFSET(page.flags)=0", "NUMBER(PG_hwpoison)=21"])
        let sample = try sampler(fixture, info: info).run(threads: 1, milliseconds: 60_000)
        #expect(sample.pages == CoreFixture.pageCount - 1)
    }

    /// Without marks, kernel B saves all pages.
    @Test func takesAllPagesWithoutMarks() throws {
        var fixture = CoreFixture()
        fixture.markFree(64, order: 6)
        let sampler = try sampler(fixture, info: VMCoreInfo([]))
        #expect(!sampler.tellsFreePages)
        #expect(try sampler.run(threads: 1, milliseconds: 60_000).pages == CoreFixture.pageCount)
        #expect(try self.sampler(fixture).tellsFreePages)
    }

    /// When the time is up, each thread has read one chunk and not much more.
    @Test func stopsWhenTheTimeIsUp() throws {
        let sample = try sampler(CoreFixture()).run(threads: 1, milliseconds: 0)
        #expect(sample.pages > 0 && sample.pages <= 256)
    }
}
