// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import PhysicalMemory
import Testing

@testable import Hibernation

@Suite struct MemorySampleTests {
    private static let window: UInt64 = 4 << 20

    private func pages(_ parts: [SamplePart]) -> [PhysicalRange] { parts.map(\.pages).normalized() }

    /// A memory of usual size is covered, each page once, whatever the ends of its ranges are.
    @Test(
        arguments: [
            [0x1000..<0x9f000, 0x10_0000..<0x1ff0_1000], [0..<0x40_0000], [0x3f_f000..<0x40_1000], [],
            [0x10_0000..<0xc000_0000, 0x1_0000_0000..<0x2_4000_0000],
        ] as [[PhysicalRange]])
    func coversAllMemory(memory: [PhysicalRange]) {
        let parts = SamplePart.all(of: memory, windowByteCount: Self.window)
        #expect(pages(parts) == memory.normalized())
        #expect(parts.reduce(0) { $0 + $1.pages.byteCount } == memory.byteCount)
        for part in parts {
            #expect(part.window.contains(part.pages) && part.pages.byteCount <= SamplePart.byteCount)
            #expect(memory.contains { $0.contains(part.window) })
            #expect(part.window.lowerBound / Self.window == (part.window.upperBound - 1) / Self.window)
        }
    }

    /// A part of a very large memory is evenly spread.
    @Test func takesAnEvenShareOfLargeMemory() {
        let memory: [PhysicalRange] = [0x1_0000_0000..<0x1_0000_0000 + 1 << 42]
        let parts = SamplePart.all(of: memory, windowByteCount: Self.window)
        #expect(parts.count <= Int(SamplePart.windowLimit) * 4 && parts.count > Int(SamplePart.windowLimit) * 2)
        for tenth in 0..<10 as Range<UInt64> {
            let range: PhysicalRange = (0x1_0000_0000 + tenth << 42 / 10)..<(0x1_0000_0000 + (tenth + 1) << 42 / 10)
            let share = parts.prefix(1000).filter { range.contains($0.pages.lowerBound) }.count
            #expect((80...120).contains(share), "\(tenth): \(share)")
        }
    }

    @Test func countsFreePages() {
        func page(_ byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: 4096) }
        var sample = MemorySample()
        #expect(!sample.isPoisoned && sample.keepsZeros)
        page(0).withUnsafeBytes { sample.countFree($0) }
        #expect(!sample.isPoisoned && sample.keepsZeros)
        var poisoned = MemorySample()
        page(0xaa).withUnsafeBytes { poisoned.countFree($0) }
        #expect(poisoned.isPoisoned && !poisoned.keepsZeros)
        sample.add(poisoned)
        #expect(!sample.isPoisoned && !sample.keepsZeros && sample.freeSamples == 2)
    }
}
