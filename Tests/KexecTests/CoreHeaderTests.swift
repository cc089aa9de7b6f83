import Basics
import PhysicalMemory
import Testing

@testable import Kexec

@Suite struct CoreHeaderTests {
    /// Notes of every length modulo 4, read back as kernel B reads them.
    @Test(arguments: 0..<6, 1..<6)
    func writesNotesAndMemory(contentLength: Int, nameLength: Int) throws {
        let name = String(repeating: "n", count: nameLength)
        let content = [UInt8](repeating: 0xff, count: contentLength)
        let memory: [AddressRange] = [0x1000..<0x2000, 0x1_0000_0000..<0x2_0000_0000]
        let header = try CoreHeader(
            notes: [CoreNote(name: name, content: content), CoreNote(name: "Torpor", content: [1, 2, 3])],
            memory: memory)
        let bytes = header.encoded(at: 0x123_4000)
        #expect(bytes.count == header.byteCount)
        let core = try ELFCore(table: bytes)
        #expect(core.segments.map(\.addresses) == memory)
        #expect(core.segments.map(\.fileOffset) == memory.map(\.lowerBound))
        let notes = Array(bytes[Int(try #require(core.notes.first).offset - 0x123_4000)...])
        #expect(core.notes.map { Int($0.byteCount) } == [notes.count])
        #expect(try ELFCore.note(named: name, in: notes) == content)
        #expect(try ELFCore.note(named: "Torpor", in: notes) == [1, 2, 3])
    }
}

@Suite struct CoreHeaderLimitTests {
    @Test(arguments: [(4095, true), (4096, false), (70000, false)]) func countsRanges(count: Int, isAllowed: Bool) {
        let memory = (0..<UInt64(count)).map { $0 * 8192..<$0 * 8192 + 4096 }
        #expect(((try? CoreHeader(notes: [], memory: memory)) != nil) == isAllowed)
    }
}

@Suite struct StubTests {
    private static let one = Stub.load(digits: 1, bootParameters: 2, entry: 3, stackTop: 4)
    private static let jump = Stub.jump(root4: 1, root5: 2, stackWord: 3, entry: 4)

    @Test(arguments: [
        (one, Stub.load(digits: .max, bootParameters: .max, entry: .max, stackTop: .max)),
        (jump, Stub.jump(root4: .max, root5: .max, stackWord: .max, entry: .max)),
    ])
    func onlyTheParametersDiffer(one: Stub, other: Stub) throws {
        #expect(one.bytes.count == other.bytes.count)
        let start = one.bytes.count - 32
        #expect(start > 0 && start % 8 == 0)
        #expect(one.bytes[..<start] == other.bytes[..<start])
        for i in 0..<4 {
            #expect(try one.bytes.field(at: start + i * 8) == UInt64(i + 1))
            #expect(try other.bytes.field(at: start + i * 8) == UInt64.max)
        }
        // A stub has a page, with its stack at the end of it.
        #expect(one.bytes.count <= 4096 - 512)
    }
}
