// SPDX-License-Identifier: Apache-2.0
import Basics
import Console
import Linux
import PhysicalMemory
import Testing

@testable import Hibernation
@testable import MemoryImage

/// From an ELF core file to an image and back into memory.
@Suite struct SavePipelineTests: SaveFixture {
    let folder: TemporaryFolder
    let partition: HibernationPartition

    init() throws {
        folder = try TemporaryFolder()
        partition = try folder.partition()
    }

    /// Kernel B does not know how much of what is left holds anything: it sees all parts of the memory from the beginning on.
    @Test func takesSaveRangesFromAllOverTheMemory() throws {
        let size = saveRangeByteCount
        let windows = SavePipeline.saveRanges([0..<1000 * size])
        let writer = try ImageWriter(partition, imageUUID: .zero, codec: .none)
        let pipeline = SavePipeline(
            try CoreFixture().write(to: folder.path("core")), writer, ranges: windows, filter: nil,
            state: try ChildState())
        let taken = pipeline.ranges.items
        #expect(taken.sorted { $0.lowerBound < $1.lowerBound } == windows)
        for part in stride(from: 0, to: 1000, by: 100) {
            let range = UInt64(part) * size..<UInt64(part + 100) * size
            #expect((8...12).contains(taken.prefix(100).filter { range.contains($0.lowerBound) }.count))
        }
    }

    @Test func savesEveryPage() throws {
        let fixture = CoreFixture()
        try expectPages(savedAndRestored(fixture), fixture.bytes)
        var zeroPages = 0
        for page in 0..<Int(CoreFixture.pageCount) {
            if fixture.bytes[page * 4096..<(page + 1) * 4096].allSatisfy({ $0 == 0 }) { zeroPages += 1 }
        }
        #expect(partition.superblock.counts.zeroPages == UInt64(zeroPages), "a page of zeros was stored")
    }

    /// Windows that end within runs, taken by whichever worker comes first.
    @Test func savesEveryPageOfManyRanges() throws {
        let fixture = CoreFixture()
        let size: UInt64 = 37 * 4096
        let windows: [PhysicalRange] = stride(
            from: CoreFixture.memory.lowerBound, to: CoreFixture.memory.upperBound, by: Int(size)
        ).map {
            $0..<min($0 + size, CoreFixture.memory.upperBound)
        }
        try expectPages(savedAndRestored(fixture, windows), fixture.bytes)
    }

    @Test func namesMissingMemory() throws {
        let state = try ChildState()
        let writer = try ImageWriter(partition, imageUUID: .zero, codec: .none)
        let end = CoreFixture.memory.upperBound
        let pipeline = SavePipeline(
            try CoreFixture().write(to: folder.path("core")), writer, ranges: [end - 4096..<end + 4096],
            filter: nil, state: state)
        let failure = #expect(throws: Failure.self) { try pipeline.run() }
        #expect(failure?.description.contains("find the memory at 0x13ff000-0x1401000") == true)
        #expect(partition.superblock.state == .saving)
    }

    @Test func reportsAFullPartition() throws {
        var fixture = CoreFixture()
        var random: UInt64 = 3
        for i in stride(from: 0, to: fixture.bytes.count, by: 8) {
            random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            fixture.bytes.put(random, at: i)
        }
        let small = try folder.partition(4 << 20)
        let writer = try ImageWriter(small, imageUUID: .zero, codec: .none)
        let pipeline = SavePipeline(
            try fixture.write(to: folder.path("core")), writer, ranges: Self.windows, filter: nil,
            state: try ChildState())
        let failure = #expect(throws: Failure.self) { try pipeline.run() }
        #expect(failure?.description.contains("the image does not fit into its 4.0 MiB") == true)
    }

    @Test func cutsRangesAtMultiplesOfTheSaveRange() {
        let size = saveRangeByteCount
        let windows = SavePipeline.saveRanges([0x1000..<0x2000, size - 4096..<3 * size + 4096, 5 * size..<6 * size])
        #expect(
            windows == [
                0x1000..<0x2000, size - 4096..<size, size..<2 * size, 2 * size..<3 * size, 3 * size..<3 * size + 4096,
                5 * size..<6 * size,
            ])
        #expect(SavePipeline.saveRanges([]) == [])
    }
}
