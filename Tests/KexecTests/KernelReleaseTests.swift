// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import Kexec

@Suite struct KernelReleaseTests {
    @Test func tellsItsRelease() throws {
        var fixture = BzImageFixture()
        #expect(try fixture.parsed().release == "")
        fixture.bytes.put(UInt16(0x100), at: 0x20e)
        fixture.bytes.put(Array("6.12.117-amd64 (x@y) #1 SMP\0".utf8), at: 0x300, limit: 64)
        #expect(try fixture.parsed().release == "6.12.117-amd64")
        fixture.bytes.put(UInt16.max, at: 0x20e)
        #expect(try fixture.parsed().release.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }, "an offset into the payload")
    }
}
