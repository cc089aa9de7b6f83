import Basics
import Foundation
import Testing

@testable import PhysicalMemory

/// An ELF core file in the making.
struct ELFCoreFixture {
    struct Header {
        var type: UInt32 = 1
        var offset: UInt64
        var address: UInt64
        var byteCount: UInt64
    }

    var headers: [Header]
    var machine: UInt16 = 62
    var entryByteCount: UInt16 = 56

    var bytes: [UInt8] {
        var bytes: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1] + [UInt8](repeating: 0, count: 57)
        bytes.put(UInt16(4), at: 16)
        bytes.put(machine, at: 18)
        bytes.put(UInt64(64), at: 32)
        bytes.put(entryByteCount, at: 54)
        bytes.put(UInt16(headers.count), at: 56)
        for header in headers {
            bytes.append(littleEndian: header.type)
            bytes.append(littleEndian: UInt32(0))
            for value in [header.offset, 0, header.address, header.byteCount, header.byteCount, 0] {
                bytes.append(littleEndian: value)
            }
        }
        return bytes
    }

    static func note(_ name: String, _ content: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(littleEndian: UInt32(name.utf8.count + 1))
        bytes.append(littleEndian: UInt32(content.count))
        bytes.append(littleEndian: UInt32(0))
        for part in [Array(name.utf8) + [0], content] {
            bytes += part + [UInt8](repeating: 0, count: (4 - part.count % 4) % 4)
        }
        return bytes
    }
}

@Suite struct ELFCoreTests {
    @Test func findsMemoryAndNotes() throws {
        let core = try ELFCore(
            table: ELFCoreFixture(headers: [
                .init(type: 4, offset: 400, address: 0, byteCount: 100),
                .init(offset: 0x1000, address: 0x800_0000, byteCount: 0x2000),
                // /proc/kcore's text mapping has no physical address.
                .init(offset: 0x3000, address: .max, byteCount: 0x1000),
                .init(type: 0x6fff_ffff, offset: 0, address: 0, byteCount: 9),
                .init(offset: 0x3000, address: 0x1_0000_0000, byteCount: 0x1000),
            ]).bytes)
        #expect(core.notes == [ELFCore.FileRange(offset: 400, byteCount: 100)])
        #expect(
            core.segments == [
                ELFCore.Segment(addresses: 0x800_0000..<0x800_2000, fileOffset: 0x1000),
                ELFCore.Segment(addresses: 0x1_0000_0000..<0x1_0000_1000, fileOffset: 0x3000),
            ])
    }

    @Test func refusesEveryTruncation() {
        let bytes = ELFCoreFixture(headers: [.init(offset: 0, address: 0, byteCount: 1)]).bytes
        for count in bytes.indices {
            #expect(throws: Failure.self, "\(count) bytes") { try ELFCore(table: Array(bytes.prefix(count))) }
        }
    }

    @Test(arguments: [
        ELFCoreFixture(headers: [.init(offset: .max, address: 0, byteCount: 1)]),
        ELFCoreFixture(headers: [.init(offset: 0, address: .max - 1, byteCount: 4096)]),
        ELFCoreFixture(headers: [], machine: 183), ELFCoreFixture(headers: [], entryByteCount: 32),
        ELFCoreFixture(headers: Array(repeating: .init(offset: 0, address: 0, byteCount: 1), count: 4097)),
    ])
    func refusesWhatCannotBe(fixture: ELFCoreFixture) {
        #expect(throws: Failure.self) { try ELFCore(table: fixture.bytes) }
    }

    @Test func findsNotesByName() throws {
        let notes =
            ELFCoreFixture.note("CORE", [9]) + ELFCoreFixture.note("VMCOREINFO", Array("A=1".utf8))
            + ELFCoreFixture.note("Torpor", [1, 2, 3, 4])
        #expect(try ELFCore.note(named: "VMCOREINFO", in: notes) == Array("A=1".utf8))
        #expect(try ELFCore.note(named: "Torpor", in: notes + [UInt8](repeating: 0, count: 64)) == [1, 2, 3, 4])
        #expect(try ELFCore.note(named: "Other", in: notes + [UInt8](repeating: 0, count: 64)) == nil)
        for count in notes.indices { _ = try? ELFCore.note(named: "Other", in: Array(notes.prefix(count))) }
        var huge = notes
        huge.put(UInt32.max, at: 4)
        #expect(throws: Failure.self) { try ELFCore.note(named: "Torpor", in: huge) }
    }

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

    @Test func readsVMCoreInfo() {
        let text =
            "OSRELEASE=6.12\nSYMBOL(a)=ff80\nNUMBER(n)=-268435456\nNUMBER(p)=7\nSIZE(page)=64\nbroken\nEQ=a=b\n\0JUNK=1"
        let info = VMCoreInfo(Array(text.utf8))
        #expect(info.text("OSRELEASE") == "6.12")
        #expect(info.text("EQ") == "a=b")
        #expect(info.text("JUNK") == nil)
        #expect(info.symbol("a") == 0xff80)
        #expect(info.symbol("b") == nil)
        #expect(info.number("n") == -268_435_456)
        #expect(info.number("p") == 7)
        #expect(info.unsigned("SIZE(page)") == 64)
        #expect(VMCoreInfo(Array("NUMBER(x)=99999999999999999999".utf8)).number("x") == nil)
        #expect(VMCoreInfo(Array("NUMBER(x)=-".utf8)).number("x") == nil)
    }
}
