// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import PhysicalMemory
import Testing

@testable import Hibernation
@testable import MemoryImage

@Suite struct FreePageFilterTests: SaveFixture {
    let folder: TemporaryFolder
    let partition: HibernationPartition

    init() throws {
        folder = try TemporaryFolder()
        partition = try folder.partition()
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
        #expect(selection.freeProblem?.description.contains("kernel A poisons them") == true)
        #expect(try parts(selection, 0..<1024) == ["0..<1024"])
    }

    /// Where nobody knows in which page a free one lies, nothing is left out.
    @Test func savesAllIfTheBackupPageMapIsShort() throws {
        var fixture = CoreFixture()
        let sources = Array(CoreFixture.sources.prefix(8))
        fixture.markFree(backedUp: 0, order: 3)
        #expect(try selection(fixture, expected: 8, sources: sources).freePages == 8)
        fixture.markFree(backedUp: 8, order: 0)
        let selection = try selection(fixture, expected: 9, sources: sources)
        #expect(selection.freeProblem?.description.contains("the backup page map has no entry for it") == true)
        #expect(try parts(selection, 0..<1024) == ["0..<1024"])
    }

    @Test func splitsARangeWithoutAGap() throws {
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

    /// A kernel with page_poison=1 checks what it filled its free pages with.
    @Test func savesFreePagesThatArePoisoned() throws {
        var fixture = CoreFixture()
        fixture.markFree(64, order: 6)
        fixture.fill(64, with: 0xaa)
        let problem = try selection(fixture, expected: 64).freeProblem
        #expect(problem?.description.contains("kernel A poisons them") == true)
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
    @Test(arguments: [64, 1_000_000, nil] as [UInt64?]) func neverReadsUnreadablePages(expected: UInt64?) throws {
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
    @Test func restoresNothingToUnreadablePages() throws {
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
}
