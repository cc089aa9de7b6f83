import Basics
import Foundation
import Testing

@testable import PhysicalMemory

/// ELF core files as no kernel writes them: each is refused or makes sense, and none traps.
@Suite struct MalformedCoreTests {
    private static let values: [UInt8] = [0, 1, 0x7f, 0x80, 0xff]
    private static let fixture = ELFCoreFixture(headers: [
        .init(type: 4, offset: 400, address: 0, byteCount: 100),
        .init(offset: 0x1000, address: 0x800_0000, byteCount: 0x2000),
        .init(offset: 0x3000, address: 0x1_0000_0000, byteCount: 0x1000),
    ])

    /// Bytes of the header by their offsets in `Elf64_Ehdr`, elf(5).
    @Test(
        arguments: [
            (0, 0x7e, "it is no 64-bit little-endian ELF file"), (4, 1, "it is no 64-bit little-endian ELF file"),
            (5, 2, "it is no 64-bit little-endian ELF file"), (16, 2, "it is no core file of x86_64"),
            (17, 1, "it is no core file of x86_64"), (18, 3, "it is no core file of x86_64"),
            (35, 1, "its program headers are malformed"), (39, 0x80, "its program headers are malformed"),
            (54, 64, "its program headers are malformed"), (57, 0xff, "its program headers are malformed"),
            (57, 1, "it ends within its program headers"), (34, 1, "it ends within its program headers"),
        ] as [(Int, UInt8, String)])
    func namesWhatIsWrong(offset: Int, value: UInt8, reason: String) {
        var bytes = Self.fixture.bytes
        bytes[offset] = value
        let failure = #expect(throws: Failure.self) { try ELFCore(table: bytes) }
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
            guard let core = try? ELFCore(table: other) else { continue }
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
                if let found = try? ELFCore.note(named: "Torpor", in: changed) {
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
        #expect(try ELFCore.note(named: "Torpor", in: notes) == [1, 2, 3])
        #expect(try ELFCore.note(named: "Torpo", in: notes) == nil)
    }
}

@Suite struct CoreFileTests {
    /// A core file with two notes and a segment of which only the first page is there.
    private func withCore(noteByteCount: UInt64? = nil, _ body: (CoreFile) throws -> Void) throws {
        let first = ELFCoreFixture.note("VMCOREINFO", Array("A=1".utf8)), second = ELFCoreFixture.note("Torpor", [7])
        let fixture = ELFCoreFixture(headers: [
            .init(type: 4, offset: 1024, address: 0, byteCount: noteByteCount ?? UInt64(first.count)),
            .init(type: 4, offset: 2048, address: 0, byteCount: UInt64(second.count)),
            .init(offset: 4096, address: 0x800_0000, byteCount: 1 << 20),
            .init(offset: 100, address: 0x900_0000, byteCount: 4096),
        ])
        var bytes = fixture.bytes
        bytes += [UInt8](repeating: 0, count: 1024 - bytes.count) + first
        bytes += [UInt8](repeating: 0, count: 2048 - bytes.count) + second
        bytes += [UInt8](repeating: 0, count: 4096 - bytes.count) + [UInt8](repeating: 0x42, count: 4096)
        let file = TemporaryFile()
        try Data(bytes).write(to: file.url)
        try body(try CoreFile(file.url.path))
    }

    @Test func findsNotesOfEverySegment() throws {
        try withCore { (core: CoreFile) throws in
            #expect(try core.note(named: "VMCOREINFO") == Array("A=1".utf8))
            #expect(try core.note(named: "Torpor") == [7])
            #expect(try core.note(named: "Other") == nil)
        }
    }

    @Test func refusesWhatTheFileDoesNotHave() throws {
        try withCore { (core: CoreFile) throws in
            #expect(try core.copy(0x800_0000..<0x800_1000).allSatisfy { $0 == 0x42 })
            // Beyond the file's end, and beyond the segment's.
            #expect(throws: Failure.self) { try core.copy(0x800_1000..<0x800_2000) }
            #expect(throws: Failure.self) { try core.copy(0x80f_f000..<0x810_1000) }
            #expect(throws: Failure.self) { try core.copy(0x7ff_f000..<0x800_0000) }
            #expect(throws: Failure.self) { _ = try core.map(UInt64.max - 4095..<UInt64.max) }
            // Not whole pages of the file.
            #expect(throws: Failure.self) { _ = try core.map(0x900_0000..<0x900_1000) }
            #expect(throws: Failure.self) { _ = try core.map(0x800_0000..<0x800_0000) }
        }
    }

    @Test(arguments: [UInt64(maximumNoteByteCount) + 1, 1 << 62] as [UInt64])
    func refusesNotesThatAreTooLarge(count: UInt64) {
        let failure = #expect(throws: Failure.self) { try withCore(noteByteCount: count) { (_) throws in } }
        #expect(failure?.reason == "its notes are too large")
    }

    @Test func refusesAFileThatEndsTooEarly() throws {
        let bytes = ELFCoreFixture(headers: [.init(offset: 0, address: 0, byteCount: 1)]).bytes
        let file = TemporaryFile()
        for count in [0, 1, 63, 64, bytes.count - 1] {
            try Data(bytes.prefix(count)).write(to: file.url)
            #expect(throws: Failure.self, "\(count) bytes") { try CoreFile(file.url.path) }
        }
        #expect(throws: Failure.self) { try CoreFile("/nowhere/vmcore") }
    }
}
