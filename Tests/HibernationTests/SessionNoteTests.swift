// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import MemoryImage
import PhysicalMemory
import Testing

@testable import Hibernation

/// What kernel A hands to kernel B beside its memory, and how the partition is found.
@Suite struct SessionNoteTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @Test func findsTheSessionsDescription() throws {
        var fixture = CoreFixture()
        fixture.notes = [("VMCOREINFO", [1]), (SessionNote.name, SessionFixture.description.encoded())]
        let core = try fixture.write(to: folder.path("core"))
        #expect(try SessionNote.read(core, SessionFixture.session) == SessionFixture.description)
        let failure = #expect(throws: Failure.self) { try SessionNote.read(core, .zero) }
        #expect(failure?.reason == "kernel A's description is of another session, \(SessionFixture.session)")
    }

    @Test(arguments: [[], [("VMCOREINFO", [1])], [(SessionNote.name, [1, 2, 3])]] as [[(String, [UInt8])]])
    func refusesACoreWithoutOne(notes: [(String, [UInt8])]) throws {
        var fixture = CoreFixture()
        fixture.notes = notes.map { (name: $0.0, content: $0.1) }
        let core = try fixture.write(to: folder.path("core"))
        #expect(throws: Failure.self) { try SessionNote.read(core, SessionFixture.session) }
    }
}
