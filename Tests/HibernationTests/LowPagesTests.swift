// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Linux
import PhysicalMemory
import Testing

@testable import Hibernation

@Suite struct LowPagesTests {
    /// A page below N is swapped by kernel A itself.
    @Test func refusesUnreadablePagesBelowN() throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        func flags(_ values: [Int: UInt64]) throws {
            var bytes = [UInt8](repeating: 0, count: 64 * 8)
            for (frame, value) in values { bytes.put(value, at: frame * 8) }
            try Data(bytes).write(to: URL(filePath: path))
        }
        func refusal(_ bits: UInt64 = 1 << 19) -> String? {
            do throws(Failure) {
                try requireReadablePages([0x1000..<0x10000, 0x20000..<0x40000], path, unreadableBits: bits)
                return nil
            } catch { return error.reason }
        }
        #expect(refusal()?.contains("torpor cannot check whether kernel B would use it") == true)
        // Frames outside the ranges, and other flags.
        try flags([0: 1 << 19, 0x10: 1 << 19, 0x1f: 1 << 19, 3: ~(1 << 19)])
        #expect(refusal() == nil)
        try flags([0x3f: 1 << 19])
        #expect(refusal()?.contains("the page at 0x3f000 must not be read") == true)
        try flags([1: 1 << 23])
        #expect(refusal() == nil && refusal(1 << 19 | 1 << 23)?.contains("0x1000") == true)
    }
}
