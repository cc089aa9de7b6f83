// SPDX-License-Identifier: Apache-2.0
import Linux
import PhysicalMemory
import Testing

@testable import Hibernation
@testable import MemoryImage

@Suite struct FreePageCountTests {
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
}
