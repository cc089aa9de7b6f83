// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@Suite struct SpreadTests {
    @Test(arguments: [0, 1, 2, 3, 4, 5, 6, 64, 100, 610, 987, 1024, 32_768]) func takesEachItemOnce(count: Int) {
        #expect(spread(Array(0..<count)).sorted() == Array(0..<count))
    }

    /// Each beginning is like the whole: of any half of the items, about half are among the first ones.
    @Test(arguments: [64, 100, 1000, 4096, 32_768]) func everyPrefixIsLikeTheWhole(count: Int) {
        let items = spread(Array(0..<count))
        for length in [count / 8, count / 4, count / 2] {
            for start in stride(from: 0, through: count / 2, by: count / 8) {
                let inside = items.prefix(length).filter { $0 >= start && $0 < start + count / 2 }.count
                #expect(abs(inside - length / 2) <= max(2, length / 16), "\(inside) of \(length) from \(start)")
            }
        }
    }
}
