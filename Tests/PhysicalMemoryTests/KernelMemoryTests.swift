// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import PhysicalMemory

@Suite struct KernelMemoryTests {
    @Test func translatesPagesOfEverySize() throws {
        var fixture = KernelFixture()
        // A page of 2 MiB and one of 1 GiB beside the memory map's own tables.
        fixture.store(UInt64(0x120_0000 | 0x81), at: 0x130_2000 + 5 * 8)
        fixture.store(UInt64(0x4000_0000 | 0x81), at: 0x130_1000 + 7 * 8)
        let file = TemporaryFile()
        let memory = try fixture.kernelMemory(file.url)
        let large = try memory.translate(KernelFixture.memoryMap + 5 << 21 + 0x12345)
        #expect(large.physical == 0x120_0000 + 0x12345)
        #expect(large.end == KernelFixture.memoryMap + 6 << 21)
        let huge = try memory.translate(KernelFixture.memoryMap + 7 << 30 + 0x654_3210)
        #expect(huge.physical == 0x4654_3210)
        #expect(huge.end == KernelFixture.memoryMap + 8 << 30)
    }
}
