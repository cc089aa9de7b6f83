// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@Suite struct AddressRangeTests {
    @Test(
        arguments: [
            (0..<4096, 0..<4096), (1..<4096, 0..<0), (1..<8192, 4096..<8192), (4095..<12289, 4096..<12288),
            (5000..<6000, 0..<0), (UInt64.max - 5000..<UInt64.max, 0..<0),
            (UInt64.max - 9000..<UInt64.max, UInt64.max - 8191..<UInt64.max - 4095),
            (UInt64.max - 100..<UInt64.max, 0..<0),
        ] as [(PhysicalRange, PhysicalRange)])
    func takesWholePagesOnly(range: PhysicalRange, expected: PhysicalRange) {
        let pages = range.wholePages
        #expect(expected.isEmpty ? pages.isEmpty : pages == expected)
    }

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
        var generator = SeededGenerator(seed)
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
}

/// SplitMix64: the same numbers in every run.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }
}
