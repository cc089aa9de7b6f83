// SPDX-License-Identifier: Apache-2.0
import Foundation
import MemoryImage
import Testing

@testable import TorporCommand

@Suite struct CountsOutputTests {
    private func counts(zero: UInt64, free: UInt64) -> ImageCounts {
        var counts = ImageCounts()
        counts.zeroPages = zero
        counts.freePages = free
        return counts
    }

    /// What a forged superblock says must not trap.
    @Test(arguments: [(10, 0, 10), (10, 4, 6), (10, 10, 0), (3, .max, 0)] as [(UInt64, UInt64, UInt64)])
    func splitsPagesThatAreNotStored(omitted: UInt64, free: UInt64, zero: UInt64) {
        let output = CountsOutput(counts(zero: omitted, free: free), tellsFreePages: true)
        #expect(output.omittedPages == omitted && output.freePages == free && output.zeroPages == zero)
        let whole = CountsOutput(counts(zero: omitted, free: 0), tellsFreePages: false)
        #expect(whole.omittedPages == omitted && whole.freePages == nil && whole.zeroPages == nil)
    }

    @Test func readsWhatItWrites() throws {
        for tellsFreePages in [false, true] {
            let output = CountsOutput(counts(zero: 10, free: 4), tellsFreePages: tellsFreePages)
            #expect(try JSONDecoder().decode(CountsOutput.self, from: JSONEncoder().encode(output)) == output)
        }
    }
}
