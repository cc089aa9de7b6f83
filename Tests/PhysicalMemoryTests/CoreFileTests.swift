// SPDX-License-Identifier: Apache-2.0
import Basics
import Fixtures
import Foundation
import Testing

@testable import PhysicalMemory

@Suite struct CoreFileTests {
    @Test func readsACoreFile() throws {
        let note = ELFCoreFixture.note("VMCOREINFO", Array("X=y\n".utf8))
        let fixture = ELFCoreFixture(headers: [
            .init(type: 4, offset: 1024, address: 0, byteCount: UInt64(note.count)),
            .init(offset: 4096, address: 0x800_0000, byteCount: 8192),
        ])
        var bytes = fixture.bytes
        bytes += [UInt8](repeating: 0, count: 1024 - bytes.count) + note
        bytes += [UInt8](repeating: 0, count: 4096 - bytes.count)
        bytes += [UInt8](repeating: 1, count: 4096) + [UInt8](repeating: 2, count: 4096)
        let file = TemporaryFile()
        try Data(bytes).write(to: file.url)
        let core = try CoreFile(file.url.path)
        #expect(try core.note(named: "VMCOREINFO") == Array("X=y\n".utf8))
        #expect(try core.copy(0x800_0fff..<0x800_1001) == [1, 2])
        let mapping = try core.map(0x800_1000..<0x800_2000)
        #expect(mapping.bytes.allSatisfy { $0 == 2 })
        #expect(throws: Failure.self) { _ = try core.map(0x800_1000..<0x800_3000) }
        #expect(throws: Failure.self) { try core.copy(0x7ff_ffff..<0x800_0001) }
    }

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

    @Test func refusesRangesOutsideTheFile() throws {
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
