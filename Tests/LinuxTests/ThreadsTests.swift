// SPDX-License-Identifier: Apache-2.0
import Linux
import Testing

@Suite struct ThreadsTests {
    @Test func runsEveryNumberOnce() {
        let seen = Locked<[Int]>([])
        runConcurrently(7) { number in seen.withLock { $0.append(number) } }
        #expect(seen.withLock { $0.sorted() } == Array(0..<7))
    }

    @Test func runsNothingForNoNumbers() {
        let runs = Locked(0)
        runConcurrently(0) { _ in runs.withLock { $0 += 1 } }
        #expect(runs.withLock { $0 } == 0)
    }
}
