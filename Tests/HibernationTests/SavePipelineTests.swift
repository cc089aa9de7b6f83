// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import PhysicalMemory
import Testing

@testable import Hibernation
@testable import MemoryImage

/// From an ELF core file to an image and back into memory.
@Suite struct SavePipelineTests {
    private let folder: TemporaryFolder
    private let partition: HibernationPartition

    init() throws {
        folder = try TemporaryFolder()
        partition = try folder.partition()
    }

    private static let windows = SavePipeline.saveRanges([CoreFixture.memory])

    private func selection(
        _ fixture: CoreFixture, expected: UInt64?, kept: UInt64 = 0, sources: [UInt64] = CoreFixture.sources,
        info: VMCoreInfo = CoreFixture.info
    ) throws -> FreePageFilter {
        let core = try fixture.write(to: folder.path("core"))
        let memory = try KernelMemory(
            core, backupRanges: [CoreFixture.backup], pageMap: BackupPageMap(sources: sources), info: info)
        return try FreePageFilter(
            memory, PageMarks(memory, info: info), ranges: Self.windows,
            expected: expected.map { FreePageCount(free: $0, onCPULists: kept) })
    }

    /// How a window is split; pages are counted from the memory's first.
    private func parts(_ selection: FreePageFilter, _ pages: Range<UInt64>) throws -> [String] {
        let start = CoreFixture.memory.lowerBound
        return try selection.split(start + pages.lowerBound * 4096..<start + pages.upperBound * 4096).map { part in
            let pages = (part.addresses.lowerBound - start) / 4096..<(part.addresses.upperBound - start) / 4096
            return "\(pages)" + (part.kind == .saved ? "" : " \(part.kind)")
        }
    }

    /// Saves the memory, puts it back into memory full of something else, and returns that.
    private func savedAndRestored(
        _ fixture: CoreFixture, _ windows: [PhysicalRange] = windows, _ selection: FreePageFilter? = nil
    ) throws -> [UInt8] {
        let state = try ChildState()
        let writer = try ImageWriter(partition, imageUUID: .zero, codec: .zstd(level: 1))
        try SavePipeline(
            fixture.write(to: folder.path("core")), writer, ranges: windows, filter: selection, state: state
        ).run()
        try writer.finish(ImageDescription(), state: .ready) { 0 }
        #expect(
            state.pages + state.zeroPages + (selection?.freePages ?? 0) + (selection?.unreadablePages ?? 0)
                == CoreFixture.pageCount,
            "pages that nobody counted, or free ones that somebody did")
        let reader = try ImageReader(partition)
        let counts = partition.superblock.counts
        #expect(counts.dataPages + counts.zeroPages == CoreFixture.pageCount)
        var bytes = [UInt8](repeating: 0x5a, count: fixture.bytes.count)
        try bytes.withUnsafeMutableBytes { buffer in
            let chunks = try reader.makeChunkReader()
            var sink = MemorySink(memory: buffer)
            let queue = ChunkQueue(reader)
            while let entry = try queue.take() { _ = try chunks.read(entry, into: &sink) }
        }
        return bytes
    }

    /// Names the pages that differ; the testing library would look for the shortest way from the one to the other for hours.
    private func expectPages(_ memory: [UInt8], _ expected: [UInt8]) {
        #expect(memory.count == expected.count)
        let pages = stride(from: 0, to: min(memory.count, expected.count), by: 4096)
        #expect(pages.filter { memory[$0..<$0 + 4096] != expected[$0..<$0 + 4096] }.map { $0 / 4096 } == [])
    }

    /// Kernel B does not know how much of what is left holds anything: it sees all parts of the memory from the beginning on.
    @Test func takesWindowsFromAllOverTheMemory() throws {
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

    @Test func givesBackEveryPage() throws {
        let fixture = CoreFixture()
        try expectPages(savedAndRestored(fixture), fixture.bytes)
        var zeroPages = 0
        for page in 0..<Int(CoreFixture.pageCount) {
            if fixture.bytes[page * 4096..<(page + 1) * 4096].allSatisfy({ $0 == 0 }) { zeroPages += 1 }
        }
        #expect(partition.superblock.counts.zeroPages == UInt64(zeroPages), "a page of zeros was stored")
    }

    /// Windows that end within runs, taken by whichever worker comes first.
    @Test func givesBackEveryPageOfManyWindows() throws {
        let fixture = CoreFixture()
        let size: UInt64 = 37 * 4096
        let windows: [PhysicalRange] = stride(
            from: CoreFixture.memory.lowerBound, to: CoreFixture.memory.upperBound, by: Int(size)
        ).map {
            $0..<min($0 + size, CoreFixture.memory.upperBound)
        }
        try expectPages(savedAndRestored(fixture, windows), fixture.bytes)
    }

    /// Free pages are what they were before; where all that are looked at are zeros, they come back as zeros.
    @Test(arguments: [false, true]) func readsNoFreePages(areZero: Bool) throws {
        var fixture = CoreFixture()
        // The first pages of the first and of the last block.
        if areZero { for page in [64, 399] as [UInt64] { fixture.fill(page, with: 0) } }
        // Two blocks beside each other, one alone, one of a single page; all of them with contents.
        for (page, order) in [(64, 6), (128, 5), (200, 3), (399, 0)] as [(UInt64, UInt64)] {
            fixture.markFree(page, order: order)
        }
        let selection = try selection(fixture, expected: 105)
        #expect(selection.freePages == 64 + 32 + 8 + 1)
        #expect(selection.keepsZeros == areZero)
        let restored = try savedAndRestored(fixture, Self.windows, selection)
        expectPages(restored, fixture.bytes(without: [64..<160, 200..<208, 399..<400], areZero ? 0 : 0x5a))
    }

    /// Pages that are free below N are left out where kernel A's swap put them: in pages that count as used.
    @Test(arguments: [false, true]) func readsNoFreePagesOfTheBackupRange(areZero: Bool) throws {
        var fixture = CoreFixture()
        // The copies of the first pages of the first and of the last block below N, and a block above.
        if areZero { for page in [399, 144, 256] as [UInt64] { fixture.fill(page, with: 0) } }
        for (page, order) in [(0, 2), (64, 6), (255, 0)] as [(UInt64, UInt64)] {
            fixture.markFree(backedUp: page, order: order)
        }
        fixture.markFree(256, order: 4)
        let selection = try selection(fixture, expected: 85)
        #expect(selection.freePages == 4 + 64 + 1 + 16)
        #expect(selection.keepsZeros == areZero)
        let restored = try savedAndRestored(fixture, Self.windows, selection)
        expectPages(restored, fixture.bytes(without: [396..<400, 272..<336, 144..<145, 256..<272], areZero ? 0 : 0x5a))
        #expect(
            try parts(selection, 0..<512) == [
                "0..<144", "144..<145 free", "145..<256", "256..<336 free", "336..<396", "396..<400 free", "400..<512",
            ])
        #expect(try parts(selection, 300..<320) == ["300..<320 free"])
        #expect(try parts(selection, 320..<340) == ["320..<336 free", "336..<340"])
        #expect(try parts(selection, 336..<396) == ["336..<396"])
    }

    /// In whatever order kernel A's kexec took its pages, those that are free are left out, and no others.
    @Test(arguments: [{ $0 }, { $0 ^ 1 }, { $0 * 37 % 256 }] as [@Sendable (UInt64) -> UInt64])
    func findsFreePagesInAnyOrder(_ order: @Sendable (UInt64) -> UInt64) throws {
        var fixture = CoreFixture()
        fixture.markFree(backedUp: 64, order: 6)
        let sources = (0..<256).map { CoreFixture.firstFrame + 100 + order($0) }
        let free = (64..<128).map { 100 + order($0)..<101 + order($0) }
        let selection = try selection(fixture, expected: 64, sources: sources)
        expectPages(try savedAndRestored(fixture, Self.windows, selection), fixture.bytes(without: free, 0x5a))
    }

    /// What free pages hold is looked at where kernel A's swap put them.
    @Test func seesPoisonInTheBackupRange() throws {
        var fixture = CoreFixture()
        fixture.markFree(backedUp: 64, order: 6)
        fixture.fill(335, with: 0xaa)
        let selection = try selection(fixture, expected: 64)
        #expect(selection.freeProblem?.description.contains("it poisons them") == true)
        #expect(try parts(selection, 0..<1024) == ["0..<1024"])
    }

    /// Where nobody knows in which page a free one lies, nothing is left out.
    @Test func savesAllWhereTheBackupPageMapIsShort() throws {
        var fixture = CoreFixture()
        let sources = Array(CoreFixture.sources.prefix(8))
        fixture.markFree(backedUp: 0, order: 3)
        #expect(try selection(fixture, expected: 8, sources: sources).freePages == 8)
        fixture.markFree(backedUp: 8, order: 0)
        let selection = try selection(fixture, expected: 9, sources: sources)
        #expect(selection.freeProblem?.description.contains("the backup page map has no place for it") == true)
        #expect(try parts(selection, 0..<1024) == ["0..<1024"])
    }

    @Test func splitsAWindowWithoutAGap() throws {
        var fixture = CoreFixture()
        for (page, order) in [(0, 2), (64, 6), (128, 5), (1023, 0)] as [(UInt64, UInt64)] {
            fixture.markFree(page, order: order)
        }
        #expect(
            try parts(selection(fixture, expected: 101), 0..<1024) == [
                "0..<4 free", "4..<64", "64..<160 free", "160..<1023", "1023..<1024 free",
            ])
    }

    /// The filter leaves free pages out only if kernel A counted about as many.
    @Test(
        arguments: [(0, true), (4096, true), (64, true), (4754, true), (4755, false), (100_000, false), (.max, false)]
            as [(UInt64, Bool)])
    func comparesWithKernelAsOwnCount(expected: UInt64, isUsed: Bool) throws {
        var fixture = CoreFixture()
        fixture.markFree(64, order: 6)
        let failure = try selection(fixture, expected: expected).freeProblem
        #expect((failure == nil) == isUsed)
        if let failure {
            #expect(
                failure.reason == "64 pages are marked free, but kernel A counted \(expected), and 0 on per-CPU lists")
        }
    }

    /// What kernel A kept for its CPUs it gives back until the jump, or does not.
    @Test(
        arguments: [
            (100_000, 0, 100_000, true), (100_000, 50_000, 166_596, true), (100_000, 50_000, 166_597, false),
            (100_000, 50_000, 83_404, true), (100_000, 50_000, 83_403, false), (.max, .max, .max, true),
            (0, 0, .max, false), (.max, 0, 0, false), (0, .max, .max, true),
        ] as [(UInt64, UInt64, UInt64, Bool)])
    func allowsForPagesOfTheCPUs(free: UInt64, kept: UInt64, found: UInt64, isAllowed: Bool) {
        #expect(FreePageCount(free: free, onCPULists: kept).allows(found) == isAllowed)
    }

    /// A kernel with page_poison=1 checks what it filled its free pages with.
    @Test func savesFreePagesThatArePoisoned() throws {
        var fixture = CoreFixture()
        fixture.markFree(64, order: 6)
        fixture.fill(64, with: 0xaa)
        let problem = try selection(fixture, expected: 64).freeProblem
        #expect(problem?.description.contains("it poisons them") == true)
        fixture.bytes[64 * 4096 + 4095] = 0xab
        #expect(try selection(fixture, expected: 64).keepsZeros == false)
        // Some pages of poison among others say nothing for certain.
        fixture.markFree(256, order: 3)
        fixture.fill(256, with: 0xaa)
        #expect(try selection(fixture, expected: 72).keepsZeros)
    }

    private static let infoWithMarks = CoreFixture.info(
        adding: [
            "OFFSET(page.flags)=0", "NUMBER(PG_hwpoison)=21", "NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)=-251658240",
        ])

    /// Pages that must not be read are left out whether the free ones are or not, and nothing is put back to them: a page
    /// with a memory error, and a balloon's.
    @Test(arguments: [64, 1_000_000, nil] as [UInt64?]) func neverReadsPagesThatMustNotBe(expected: UInt64?) throws {
        var fixture = CoreFixture()
        fixture.markFree(64, order: 6)
        fixture.set(mark: .max, flags: 1 << 21, of: 30)
        for page in 200..<210 as Range<UInt64> { fixture.set(mark: 0xf100_0000, flags: 0, of: page) }
        let selection = try selection(fixture, expected: expected, info: Self.infoWithMarks)
        #expect(selection.unreadablePages == 11)
        #expect((selection.freeProblem == nil) == (expected == 64))
        let free = expected == 64 ? ["31..<64", "64..<128 free", "128..<200"] : ["31..<200"]
        #expect(
            try parts(selection, 0..<1024)
                == ["0..<30", "30..<31 unreadable"] + free + ["200..<210 unreadable", "210..<1024"])
        let leftOut = [30..<31, 200..<210] as [Range<UInt64>]
        expectPages(
            try savedAndRestored(fixture, Self.windows, selection),
            fixture.bytes(without: leftOut + (expected == 64 ? [64..<128] : []), 0x5a))
    }

    /// They stay as they are also if the free pages come back as zeros, and if they are inside what is free.
    @Test func writesNothingToPagesThatMustNotBeRead() throws {
        var fixture = CoreFixture()
        fixture.markFree(64, order: 6)
        fixture.fill(64, with: 0)
        fixture.set(mark: 0xf100_0000, flags: 0, of: 0)
        let selection = try selection(fixture, expected: 64, info: Self.infoWithMarks)
        #expect(selection.keepsZeros)
        var expected = fixture
        expected.fill(0, with: 0x5a)
        expectPages(
            try savedAndRestored(fixture, Self.windows, selection), expected.bytes(without: [64..<128], 0))
    }

    @Test func saysThatMemoryIsMissing() throws {
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

    @Test func saysThatThePartitionIsFull() throws {
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
}
