// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import PhysicalMemory

@Suite struct PageMarksTests {
    private static let firstFrame = KernelFixture.memory.lowerBound / pageSize

    private func find(
        _ fixture: KernelFixture, _ wanted: PageMarks.Kind = .free,
        in frames: FrameRange = firstFrame..<firstFrame + 1024
    ) throws -> [FrameRange] {
        let file = TemporaryFile()
        let marks = try PageMarks(fixture.kernelMemory(file.url), info: fixture.info)
        if wanted != .unreadable, let problem = marks.freeProblem { throw problem }
        var blocks: [FrameRange] = []
        try marks.find(in: frames) { kind, block in
            if kind == wanted { blocks.append(block) }
        }
        return blocks
    }

    @Test func findsBlocksOfEveryOrderThroughTheBackupPageMap() throws {
        var fixture = KernelFixture()
        let first = Self.firstFrame
        // The first 512 structures lie below N, the others above.
        let blocks: [(UInt64, UInt64)] = [(first, 0), (first + 2, 1), (first + 64, 6), (first + 512, 9)]
        for (frame, order) in blocks { fixture.markFree(frame, order: order) }
        #expect(try find(fixture) == blocks.map { $0.0..<$0.0 + (1 << $0.1) })
    }

    @Test func ignoresMarksInsideAFreeBlock() throws {
        var fixture = KernelFixture()
        fixture.markFree(Self.firstFrame + 8, order: 3)
        // What a page's structure held before it became part of a block stays in it.
        fixture.markFree(Self.firstFrame + 9, order: 7)
        #expect(try find(fixture) == [Self.firstFrame + 8..<Self.firstFrame + 16])
    }

    @Test func clampsBlocksToTheRequestedFrames() throws {
        var fixture = KernelFixture()
        fixture.markFree(Self.firstFrame + 256, order: 8)
        let frames: FrameRange = Self.firstFrame + 100..<Self.firstFrame + 300
        #expect(try find(fixture, in: frames) == [Self.firstFrame + 256..<Self.firstFrame + 300])
    }

    @Test(arguments: [(1, 1), (4, 11), (0, UInt64.max), (6, 2)] as [(UInt64, UInt64)])
    func reportsImpossibleBlocks(offset: UInt64, order: UInt64) throws {
        var fixture = KernelFixture()
        fixture.markFree(Self.firstFrame + offset, order: order)
        #expect(try find(fixture) == [])
        #expect(try find(fixture, .impossible) == [Self.firstFrame + offset..<Self.firstFrame + offset + 1])
    }

    private static let marks = [
        "OFFSET(page.flags)=0", "NUMBER(PG_hwpoison)=21", "NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)=-251658240",
        "NUMBER(PAGE_UNACCEPTED_MAPCOUNT_VALUE)=-150994944", "NUMBER(PAGE_HUGETLB_MAPCOUNT_VALUE)=-201326592",
    ]

    /// A memory error, a page of a balloon whose driver keeps something in the mark's low bytes, a block of 4 MiB that was
    /// not accepted yet; and pages that look like them.
    @Test func findsUnreadablePages() throws {
        var fixture = KernelFixture()
        fixture.lines += Self.marks
        let first = Self.firstFrame
        fixture.set(flags: 1 << 21 | 5, of: first + 3)
        fixture.set(flags: 1 << 20, of: first + 4)
        fixture.set(mark: 0xf100_0000, of: first + 7)
        fixture.set(mark: 0xf100_1234, of: first + 8)
        fixture.set(mark: 0xf200_0000, of: first + 9)
        fixture.set(mark: 0xf500_0000, flags: 1 << 21, of: first + 600)
        #expect(
            try find(fixture, .unreadable) == [
                first + 3..<first + 4, first + 7..<first + 8, first + 8..<first + 9, first + 600..<first + 601,
            ])
        fixture.set(mark: 0xf700_0000, of: first)
        #expect(try find(fixture, .unreadable) == [first..<first + 1024])
    }

    /// A free block whose first page has a memory error is not looked into.
    @Test func findsMemoryErrorsInFreeBlocks() throws {
        var fixture = KernelFixture()
        fixture.lines += Self.marks
        fixture.markFree(Self.firstFrame + 8, order: 3)
        fixture.set(mark: KernelFixture.mark, flags: 1 << 21, of: Self.firstFrame + 8)
        #expect(try find(fixture) == [])
        #expect(try find(fixture, .unreadable) == [Self.firstFrame + 8..<Self.firstFrame + 16])
    }

    /// They are found also if free pages cannot be told.
    @Test func findsUnreadablePagesWithoutFreePages() throws {
        var fixture = KernelFixture()
        fixture.lines += Self.marks
        fixture.lines.removeAll { $0.hasPrefix("LENGTH(zone.free_area)") }
        fixture.set(mark: 0xf100_0000, of: Self.firstFrame + 7)
        #expect(throws: Failure.self) { try find(fixture) }
        #expect(try find(fixture, .unreadable) == [Self.firstFrame + 7..<Self.firstFrame + 8])
    }

    /// Which of a huge page's pages is damaged is not in its mark, so it is not guessed.
    @Test func refusesHugePagesWithAMemoryError() throws {
        var fixture = KernelFixture()
        fixture.lines += Self.marks
        fixture.set(mark: 0xf400_0000, of: Self.firstFrame + 512)
        #expect(try find(fixture, .unreadable) == [])
        fixture.set(mark: 0xf400_0000, flags: 1 << 21, of: Self.firstFrame + 512)
        let failure = #expect(throws: Failure.self) { try find(fixture, .unreadable) }
        #expect(failure?.reason.contains("the huge page at 0x1200000 has a memory error") == true)
    }

    /// Kernels before 6.12 cleared bits instead; all of the mark counts then.
    @Test func knowsTheMarksOfOlderKernels() throws {
        var fixture = KernelFixture()
        fixture.lines += ["NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)=-257"]
        fixture.set(mark: 0xffff_feff, of: Self.firstFrame + 7)
        fixture.set(mark: 0xffff_ff7f, of: Self.firstFrame + 8)
        #expect(try find(fixture, .unreadable) == [Self.firstFrame + 7..<Self.firstFrame + 8])
    }

    @Test(arguments: [
        "SYMBOL(vmemmap)", "SIZE(page)", "OFFSET(page._mapcount)", "OFFSET(page.private)", "LENGTH(zone.free_area)",
        "NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)",
    ])
    func namesAMissingKey(_ key: String) throws {
        var fixture = KernelFixture()
        fixture.lines.removeAll { $0.hasPrefix(key) }
        let failure = #expect(throws: Failure.self) { try find(fixture) }
        #expect(failure?.description.contains(key) == true)
    }

    @Test(arguments: [
        "SIZE(page)=0", "SIZE(page)=100000", "SIZE(page)=63", "OFFSET(page._mapcount)=62", "OFFSET(page.private)=60",
        "LENGTH(zone.free_area)=64", "OFFSET(page.private)=18446744073709551615",
    ])
    func refusesImpossibleStructures(_ line: String) throws {
        var fixture = KernelFixture()
        fixture.lines.removeAll { $0.hasPrefix(String(line.prefix { $0 != "=" })) }
        fixture.lines.append(line)
        #expect(throws: Failure.self) { try find(fixture) }
    }

    @Test func refusesAMemoryMapThatIsNotMapped() throws {
        var fixture = KernelFixture()
        fixture.store(UInt64(0), at: 0x130_3000 + 0x40 * 8)
        #expect(throws: Failure.self) { try find(fixture) }
    }

    @Test(arguments: ["SYMBOL(init_top_pgt)", "NUMBER(phys_base)", "NUMBER(pgtable_l5_enabled)"])
    func requiresTheKeysOfThePageTables(_ key: String) throws {
        var fixture = KernelFixture()
        fixture.lines.removeAll { $0.hasPrefix(key) }
        #expect(throws: Failure.self) { try find(fixture) }
    }

    @Test func doesNotReadEncryptedPageTables() throws {
        var fixture = KernelFixture()
        fixture.lines.append("NUMBER(sme_mask)=140737488355328")
        #expect(throws: Failure.self) { try find(fixture) }
    }
}
