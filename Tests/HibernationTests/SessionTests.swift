// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import MemoryImage
import PhysicalMemory
import Testing

@testable import Hibernation

/// What kernel A hands to kernel B beside its memory, and how the partition is found.
@Suite struct SessionTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private static let session = UUID("01234567-89ab-4cde-8f01-23456789abcd") ?? .zero
    private static let backup: [PhysicalRange] = [0x1000..<0x4000]

    private func description() -> ImageDescription {
        var description = ImageDescription()
        description.session = Self.session
        description.host = "a"
        description.memoryRanges = Self.backup + [CoreFixture.memory]
        description.backupRanges = Self.backup
        return description
    }

    @Test func findsTheSessionsDescription() throws {
        var fixture = CoreFixture()
        fixture.notes = [("VMCOREINFO", [1]), (SessionNote.name, description().encoded())]
        let core = try fixture.write(to: folder.path("core"))
        #expect(try SessionNote.read(core, Self.session) == description())
        let failure = #expect(throws: Failure.self) { try SessionNote.read(core, .zero) }
        #expect(failure?.reason == "it belongs to the session \(Self.session)")
    }

    @Test(arguments: [[], [("VMCOREINFO", [1])], [(SessionNote.name, [1, 2, 3])]] as [[(String, [UInt8])]])
    func refusesACoreWithoutOne(notes: [(String, [UInt8])]) throws {
        var fixture = CoreFixture()
        fixture.notes = notes.map { (name: $0.0, content: $0.1) }
        let core = try fixture.write(to: folder.path("core"))
        #expect(throws: Failure.self) { try SessionNote.read(core, Self.session) }
    }

    /// The control page holds the entry somewhere in it, and the list's address somewhere else.
    @Test func findsTheBackedUpPagesBesideTheEntry() throws {
        var fixture = CoreFixture()
        let control: UInt64 = 0x101_0000, list: UInt64 = 0x102_0000
        for page in [control, list] { fixture.fill((page - CoreFixture.memory.lowerBound) / 4096, with: 0) }
        fixture.store(list | 2, at: control + 0x830)
        let entries: [UInt64] = [0x1000 | 1, 0x110_0000 | 8, 0x111_0000 | 8, 0x112_0000 | 8, 4]
        for (i, entry) in entries.enumerated() { fixture.store(entry, at: list + UInt64(i) * 8) }
        let core = try fixture.write(to: folder.path("core"))
        let map = try findBackupPages(core, description(), entry: control + 0x123)
        #expect(map.sources == [0x1100, 0x1110, 0x1120])
        // Another page, and one that is not kernel A's memory.
        #expect(throws: Failure.self) { try findBackupPages(core, description(), entry: control + 0x1123) }
        #expect(throws: Failure.self) { try findBackupPages(core, description(), entry: 0x8000_0000) }
    }

    @Test func tellsEveryStateFromTheOthers() {
        let states: [Superblock.State] = [.empty, .saving, .ready, .attempted, .consumed, .failed, .snapshot]
        var superblock = Superblock(uuid: .zero, label: "", deviceByteCount: 0)
        let phrases = states.map { state in
            superblock.state = state
            return superblock.stateDescription
        }
        #expect(Set(phrases).count == states.count)
    }

    @Test func writesRangesForTheLog() {
        #expect(describeRanges([0x1000..<0x2000, 0x10_0000..<0x20_0000]) == "0x1000-0x2000 0x100000-0x200000")
        #expect(describeRanges([]) == "")
    }

    /// Words that only look like ours, and ours more than once.
    @Test func takesWholeWordsOnly() {
        let parameters = KernelParameters(
            KernelCommandLine(
                "torpor.devicex=/dev/a xtorpor.device=/dev/b torpor.debugging noresumed torpor.wait=5 torpor.wait=6 "
                    + "torpor.after=reboot torpor.after=poweroff rootwait torpor.debug=1"))
        #expect(parameters.device == nil && parameters.waitSeconds == 6 && parameters.after == .powerOff)
        #expect(!parameters.isDebugging && !parameters.isResumeForbidden && parameters.problems == [])
        #expect(parameters.fallback == .powerOff, "root= is not there")
    }

    @Test(
        arguments: [
            ("torpor.fallback=root", .root), ("torpor.fallback=poweroff root=/dev/x", .powerOff),
            ("torpor.fallback=reboot", .reboot), ("torpor.fallback=shell", .shell), ("root=", .root),
        ] as [(String, Fallback)])
    func choosesTheFallback(text: String, expected: Fallback) {
        #expect(KernelParameters(KernelCommandLine(text)).fallback == expected)
    }
}
