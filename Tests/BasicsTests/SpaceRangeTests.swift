// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@Suite struct SpaceRangeTests {
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
}
