// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import MemoryImage

@Suite struct PageRunTests {
    @Test func findsTheAddressesOfARun() {
        #expect(PageRun(firstFrame: 2, count: 3, kind: .data).addresses == 8192..<20480)
        #expect(PageRun(firstFrame: 1 << 40 - 1, count: 1, kind: .data).addresses != nil)
        #expect(PageRun(firstFrame: UInt64.max, count: UInt32.max, kind: .zero).addresses == nil)
    }
}
