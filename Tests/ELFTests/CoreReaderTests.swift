// SPDX-License-Identifier: Apache-2.0
import Basics
import Fixtures
import Testing

@testable import ELF

@Suite struct CoreReaderTests {
    @Test func findsMemoryAndNotes() throws {
        let core = try CoreReader(
            table: ELFCoreFixture(headers: [
                .init(type: 4, offset: 400, address: 0, byteCount: 100),
                .init(offset: 0x1000, address: 0x800_0000, byteCount: 0x2000),
                // /proc/kcore's text mapping has no physical address.
                .init(offset: 0x3000, address: .max, byteCount: 0x1000),
                .init(type: 0x6fff_ffff, offset: 0, address: 0, byteCount: 9),
                .init(offset: 0x3000, address: 0x1_0000_0000, byteCount: 0x1000),
            ]).bytes)
        #expect(core.notes == [CoreReader.FileRange(offset: 400, byteCount: 100)])
        #expect(
            core.segments == [
                CoreReader.Segment(addresses: 0x800_0000..<0x800_2000, fileOffset: 0x1000),
                CoreReader.Segment(addresses: 0x1_0000_0000..<0x1_0000_1000, fileOffset: 0x3000),
            ])
    }

    @Test func refusesEveryTruncation() {
        let bytes = ELFCoreFixture(headers: [.init(offset: 0, address: 0, byteCount: 1)]).bytes
        for count in bytes.indices {
            #expect(throws: Failure.self, "\(count) bytes") { try CoreReader(table: Array(bytes.prefix(count))) }
        }
    }

    @Test(arguments: [
        ELFCoreFixture(headers: [.init(offset: .max, address: 0, byteCount: 1)]),
        ELFCoreFixture(headers: [.init(offset: 0, address: .max - 1, byteCount: 4096)]),
        ELFCoreFixture(headers: [], machine: 183), ELFCoreFixture(headers: [], entryByteCount: 32),
        ELFCoreFixture(headers: Array(repeating: .init(offset: 0, address: 0, byteCount: 1), count: 4097)),
    ])
    func refusesImpossibleHeaders(fixture: ELFCoreFixture) {
        #expect(throws: Failure.self) { try CoreReader(table: fixture.bytes) }
    }

    @Test func findsNotesByName() throws {
        let notes =
            ELFCoreFixture.note("CORE", [9]) + ELFCoreFixture.note("VMCOREINFO", Array("A=1".utf8))
            + ELFCoreFixture.note("Torpor", [1, 2, 3, 4])
        #expect(try CoreReader.note(named: "VMCOREINFO", in: notes) == Array("A=1".utf8))
        #expect(try CoreReader.note(named: "Torpor", in: notes + [UInt8](repeating: 0, count: 64)) == [1, 2, 3, 4])
        #expect(try CoreReader.note(named: "Other", in: notes + [UInt8](repeating: 0, count: 64)) == nil)
        for count in notes.indices { _ = try? CoreReader.note(named: "Other", in: Array(notes.prefix(count))) }
        var huge = notes
        huge.put(UInt32.max, at: 4)
        #expect(throws: Failure.self) { try CoreReader.note(named: "Torpor", in: huge) }
    }

    // MARK: Files as no kernel writes them: each is refused or makes sense, and none traps

    private static let values: [UInt8] = [0, 1, 0x7f, 0x80, 0xff]
    private static let fixture = ELFCoreFixture(headers: [
        .init(type: 4, offset: 400, address: 0, byteCount: 100),
        .init(offset: 0x1000, address: 0x800_0000, byteCount: 0x2000),
        .init(offset: 0x3000, address: 0x1_0000_0000, byteCount: 0x1000),
    ])

    /// Bytes of the header by their offsets in `Elf64_Ehdr`, elf(5).
    @Test(
        arguments: [
            (0, 0x7e, "it is not a 64-bit little-endian ELF file"), (4, 1, "it is not a 64-bit little-endian ELF file"),
            (5, 2, "it is not a 64-bit little-endian ELF file"), (16, 2, "it is not a core file for x86_64"),
            (17, 1, "it is not a core file for x86_64"), (18, 3, "it is not a core file for x86_64"),
            (35, 1, "its program headers are malformed"), (39, 0x80, "its program headers are malformed"),
            (54, 64, "its program headers are malformed"), (57, 0xff, "its program headers are malformed"),
            (57, 1, "it ends within its program headers"), (34, 1, "it ends within its program headers"),
        ] as [(Int, UInt8, String)])
    func namesTheMistake(offset: Int, value: UInt8, reason: String) {
        var bytes = Self.fixture.bytes
        bytes[offset] = value
        let failure = #expect(throws: Failure.self) { try CoreReader(table: bytes) }
        #expect(failure?.reason == reason)
    }

    /// Every byte, and every word of the program headers, with values that nobody writes.
    @Test func rangesDoNotOverflow() {
        let bytes = Self.fixture.bytes
        var others: [[UInt8]] = []
        for i in bytes.indices {
            for value in Self.values {
                others.append(bytes)
                others[others.count - 1][i] = value
            }
        }
        for i in stride(from: 64, to: bytes.count, by: 8) {
            for value: UInt64 in [.max, .max - 1, .max - 4095, 1 << 63] {
                others.append(bytes)
                others[others.count - 1].put(value, at: i)
            }
        }
        var accepted = 0
        for (number, other) in others.enumerated() {
            guard let core = try? CoreReader(table: other) else { continue }
            accepted += 1
            let sizes =
                core.segments.map { ($0.fileOffset, $0.addresses.byteCount) }
                + core.notes.map { ($0.offset, $0.byteCount) }
            for (offset, count) in sizes { #expect(count <= UInt64.max - offset, "mistake \(number)") }
        }
        #expect(accepted > 0 && accepted < others.count)
    }

    @Test func survivesEveryByteOfTheNotes() {
        let notes = ELFCoreFixture.note("CORE", [9, 8, 7]) + ELFCoreFixture.note("Torpor", [1, 2, 3, 4, 5])
        for i in notes.indices {
            for value in Self.values {
                var changed = notes
                changed[i] = value
                if let found = try? CoreReader.note(named: "Torpor", in: changed) {
                    #expect(found.count <= notes.count, "byte \(i) = \(value)")
                }
            }
        }
    }

    /// Names and contents of every length modulo 4: a wrong padding loses the note behind.
    @Test(arguments: 0..<5, 0..<5)
    func findsTheNoteBehindAnother(nameLength: Int, contentLength: Int) throws {
        let other = ELFCoreFixture.note(
            String(repeating: "n", count: nameLength), [UInt8](repeating: 0xff, count: contentLength))
        let notes = other + ELFCoreFixture.note("Torpor", [1, 2, 3])
        #expect(try CoreReader.note(named: "Torpor", in: notes) == [1, 2, 3])
        #expect(try CoreReader.note(named: "Torpo", in: notes) == nil)
    }
}
