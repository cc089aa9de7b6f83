// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Testing

@testable import Linux

@Suite struct ErasingTests {
    private static let byteCount = 4 << 20

    /// Runs a body on a file that is full of bytes 0x77, and gives what the file holds then.
    private func content(after body: (borrowing File) throws -> Void) throws -> [UInt8] {
        let url = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)")
        try Data(repeating: 0x77, count: Self.byteCount).write(to: url)
        defer { try? FileManager.default.removeItem(at: url) }
        try body(File(url.path, .write))
        return Array(try Data(contentsOf: url))
    }

    private func expectZeros(_ range: Range<Int>, _ bytes: [UInt8]) {
        #expect(bytes.count == Self.byteCount)
        #expect(bytes[range].allSatisfy { $0 == 0 })
        #expect(bytes[..<range.lowerBound].allSatisfy { $0 == 0x77 })
        #expect(bytes[range.upperBound...].allSatisfy { $0 == 0x77 })
    }

    /// Less than is written at once, more, and nothing.
    @Test(arguments: [8192..<200 << 10, 512..<3 << 20, 4096..<4096]) func makesZerosInAFile(range: Range<Int>) throws {
        let bytes = try content { file in
            try file.zeroOut(DeviceRange(UInt64(range.lowerBound)..<UInt64(range.upperBound)))
        }
        expectZeros(range, bytes)
    }

    @Test func discardingMakesAHoleInAFile() throws {
        let bytes = try content { file in
            let isDone = file.discard(8192..<2 << 20)
            #expect(isDone)
        }
        expectZeros(8192..<2 << 20, bytes)
    }
}
