// SPDX-License-Identifier: Apache-2.0
import Basics
import Fixtures
import Testing

@Suite struct RangeAlgebraTests {
    @Test(
        arguments: [
            ([], []), ([5..<5], []), ([10..<20, 0..<10], [0..<20]), ([0..<5, 3..<4], [0..<5]),
            ([7..<9, 0..<2, 1..<3], [0..<3, 7..<9]),
        ] as [([PhysicalRange], [PhysicalRange])])
    func normalizes(ranges: [PhysicalRange], expected: [PhysicalRange]) { #expect(ranges.normalized() == expected) }

    @Test func countsTheBytesOfAllRanges() { #expect(([0..<10, 20..<25] as [PhysicalRange]).byteCount == 15) }

    @Test func takesTheWholePagesOfEachRange() {
        let ranges: [PhysicalRange] = [100..<9000, 9000..<20000, 30000..<30001]
        #expect(ranges.wholePages == [4096..<16384])
    }

    /// Against sets of addresses, which are slow and plainly right.
    @Test(arguments: 0..<200 as Range<UInt64>)
    func agreesWithSetsOfAddresses(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let one = randomRanges(&generator), other = randomRanges(&generator)
        let left = addresses(one), right = addresses(other)
        expectSame(one.normalized(), left)
        expectSame(one.intersection(other), left.intersection(right))
        expectSame(one.subtracting(other), left.subtracting(right))
        let probe = randomRanges(&generator).first ?? 0..<0
        #expect(one.covers(probe) == addresses([probe]).isSubset(of: left))
    }

    private func expectSame(_ ranges: [PhysicalRange], _ expected: Set<UInt64>) {
        #expect(addresses(ranges) == expected)
        #expect(ranges.byteCount == UInt64(expected.count), "ranges overlap")
        #expect(zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound < $1.lowerBound }, "ranges touch")
    }

    private func addresses(_ ranges: [PhysicalRange]) -> Set<UInt64> {
        Set(ranges.flatMap { Array($0.lowerBound..<$0.upperBound) })
    }

    private func randomRanges(_ generator: inout SeededGenerator) -> [PhysicalRange] {
        (0..<Int.random(in: 0...5, using: &generator)).map { _ in
            let start = UInt64.random(in: 0...40, using: &generator)
            return start..<start + UInt64.random(in: 0...12, using: &generator)
        }
    }

    /// Up to the end of what 64 bits can say, where a sum that is not checked would trap.
    private static let all: PhysicalRange = 0..<UInt64.max

    @Test(
        arguments: [
            ([all], [UInt64.max - 10..<UInt64.max], [0..<UInt64.max - 10]), ([all], [all], []), ([all], [], [all]),
            ([all], [0..<1, 5..<6, UInt64.max - 1..<UInt64.max], [1..<5, 6..<UInt64.max - 1]), ([], [all], []),
            // A hole that covers the end of one range and the beginning of the next.
            ([0..<10, 20..<30], [5..<25], [0..<5, 25..<30]),
        ] as [([PhysicalRange], [PhysicalRange], [PhysicalRange])])
    func subtracts(ranges: [PhysicalRange], holes: [PhysicalRange], expected: [PhysicalRange]) {
        #expect(ranges.subtracting(holes) == expected)
        let kept = ranges.intersection(holes)
        #expect(kept.byteCount + expected.byteCount == ranges.byteCount, "a byte is in both parts or in none")
    }

    @Test(
        arguments: [
            ([0..<10, 10..<20], 5..<15, true), ([0..<10, 11..<20], 5..<15, false), ([all], all, true),
            ([0..<10], 10..<11, false), ([0..<10], 9..<11, false), ([0..<10], 0..<10, true),
            // Nothing is everywhere.
            ([], 7..<7, true), ([], 7..<8, false),
        ] as [([PhysicalRange], PhysicalRange, Bool)])
    func covers(ranges: [PhysicalRange], range: PhysicalRange, expected: Bool) {
        #expect(ranges.covers(range) == expected)
    }

    /// A page counts where every byte of it lies in some range, even if no single range has it whole.
    @Test(arguments: 0..<40 as Range<UInt64>)
    func takesPagesCoveredByAllRangesTogether(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let ranges: [PhysicalRange] = (0..<4).map { _ in
            let start = UInt64.random(in: 0...5, using: &generator) * pageSize
            let shift = UInt64.random(in: 0...2, using: &generator)
            let count = UInt64.random(in: 0...2, using: &generator) * pageSize
            return start + shift..<start + shift + count + UInt64.random(in: 0...2, using: &generator)
        }
        var isThere = [Bool](repeating: false, count: 9 * Int(pageSize))
        for range in ranges { for address in range.lowerBound..<range.upperBound { isThere[Int(address)] = true } }
        var expected: [UInt64] = []
        for page in 0..<UInt64(9) {
            let bytes = isThere[Int(page * pageSize)..<Int((page + 1) * pageSize)]
            if bytes.allSatisfy({ $0 }) { expected.append(page * pageSize) }
        }
        let pages = ranges.wholePages
        #expect(pages.flatMap { Array(stride(from: $0.lowerBound, to: $0.upperBound, by: 4096)) } == expected)
        #expect(pages.allSatisfy { $0.lowerBound % pageSize == 0 && $0.upperBound % pageSize == 0 && !$0.isEmpty })
    }
}
