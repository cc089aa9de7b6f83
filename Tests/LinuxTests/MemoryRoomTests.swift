// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import Linux

@Suite struct MemoryRoomTests {
    @Test func readsTheTable() throws {
        let text = """
            MemTotal:         495228 kB
            MemFree:            9124 kB
            MemAvailable:       3000 kB
            SwapCached:         1272 kB
            Active:           363560 kB
            Active(anon):     363456 kB
            Inactive(anon):   108252 kB
            SwapTotal:        524284 kB
            SwapFree:         497324 kB

            """
        #expect(
            try MemoryUse(meminfo: text)
                == MemoryUse(
                    free: 9124 << 10, available: 3000 << 10, swappable: (363456 + 108252) << 10, freeSwap: 497324 << 10)
        )
        let shorter = text.replacing("Inactive(anon)", with: "Inactive(file)")
        #expect(throws: Failure.self) { try MemoryUse(meminfo: shorter) }
    }

    @Test func needsRoomOnlyIfLittleIsFree() {
        let memory = MemoryUse(free: 256, available: 0, swappable: 0, freeSwap: 0)
        #expect(!memory.needsRoom(128))
        #expect(memory.needsRoom(129))
    }

    /// What can be moved out is limited by the pages that can be, and by the space for them.
    @Test func waitsOnlyIfTwiceAsMuchCouldBeHad() {
        let size: UInt64 = 128 << 20
        for (available, swappable, freeSwap, can) in [
            (0, 2 * size + 2, 2 * size + 2, true), (0, 2 * size, 3 * size, false), (0, 3 * size, 2 * size, false),
            (2 * size + 2, 0, 0, true), (2 * size, 0, size, false), (size, size + 2, size + 2, true),
        ] {
            let memory = MemoryUse(free: 0, available: available, swappable: swappable, freeSwap: freeSwap)
            #expect(memory.canMakeRoom(size, limit: nil) == can, "\(memory)")
        }
        #expect(!MemoryUse(free: 0, available: 1 << 40, swappable: 0, freeSwap: 0).canMakeRoom(.max, limit: nil))
    }

    @Test func respectsTheLimitOfTheControlGroup() {
        let size: UInt64 = 1 << 20
        let memory = MemoryUse(free: 0, available: 1 << 40, swappable: 0, freeSwap: 0)
        func limit(_ bytes: UInt64) -> MemoryLimit { MemoryLimit(bytes: bytes, name: "memory.max", remedy: "") }
        #expect(memory.canMakeRoom(size, limit: limit(size + (16 << 20) + 1)))
        #expect(!memory.canMakeRoom(size, limit: limit(size + (16 << 20))))
    }

    /// More than the machine has is not even tried: the kernel would end programs, this one among them.
    @Test func survivesAnImpossibleSize() { makeMemoryRoom(byteCount: 1 << 50) }
}
