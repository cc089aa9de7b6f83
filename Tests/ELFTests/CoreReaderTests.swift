// SPDX-License-Identifier: Apache-2.0
import Basics
import Fixtures
import Foundation
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
    func refusesWhatCannotBe(fixture: ELFCoreFixture) {
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
}
