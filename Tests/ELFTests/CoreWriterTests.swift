// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import ELF

@Suite struct CoreWriterTests {
    /// Notes of every length modulo 4, read back as kernel B reads them.
    @Test(arguments: 0..<6, 1..<6)
    func writesNotesAndMemory(contentLength: Int, nameLength: Int) throws {
        let name = String(repeating: "n", count: nameLength)
        let content = [UInt8](repeating: 0xff, count: contentLength)
        let memory: [PhysicalRange] = [0x1000..<0x2000, 0x1_0000_0000..<0x2_0000_0000]
        let header = try CoreWriter(
            notes: [CoreNote(name: name, content: content), CoreNote(name: "Torpor", content: [1, 2, 3])],
            memory: memory)
        let bytes = header.encoded(at: 0x123_4000)
        #expect(bytes.count == header.byteCount)
        let core = try CoreReader(table: bytes)
        #expect(core.segments.map(\.addresses) == memory)
        #expect(core.segments.map(\.fileOffset) == memory.map(\.lowerBound))
        let notes = Array(bytes[Int(try #require(core.notes.first).offset - 0x123_4000)...])
        #expect(core.notes.map { Int($0.byteCount) } == [notes.count])
        #expect(try CoreReader.note(named: name, in: notes) == content)
        #expect(try CoreReader.note(named: "Torpor", in: notes) == [1, 2, 3])
    }

    @Test(arguments: [(4095, true), (4096, false), (70000, false)]) func countsRanges(count: Int, isAllowed: Bool) {
        let memory: [PhysicalRange] = (0..<UInt64(count)).map { $0 * 8192..<$0 * 8192 + 4096 }
        #expect(((try? CoreWriter(notes: [], memory: memory)) != nil) == isAllowed)
    }
}
