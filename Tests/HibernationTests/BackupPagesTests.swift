// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import MemoryImage
import PhysicalMemory
import Testing

@testable import Hibernation

@Suite struct BackupPagesTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// The control page holds the entry somewhere in it, and the list's address somewhere else.
    @Test func findsTheBackedUpPagesBesideTheEntry() throws {
        var fixture = CoreFixture()
        let control: UInt64 = 0x101_0000, list: UInt64 = 0x102_0000
        for page in [control, list] { fixture.fill((page - CoreFixture.memory.lowerBound) / 4096, with: 0) }
        fixture.store(list | 2, at: control + 0x830)
        let entries: [UInt64] = [0x1000 | 1, 0x110_0000 | 8, 0x111_0000 | 8, 0x112_0000 | 8, 4]
        for (i, entry) in entries.enumerated() { fixture.store(entry, at: list + UInt64(i) * 8) }
        let core = try fixture.write(to: folder.path("core"))
        let map = try findBackupPages(core, SessionFixture.description, entry: control + 0x123)
        #expect(map.sources == [0x1100, 0x1110, 0x1120])
        // Another page, and one that is not kernel A's memory.
        #expect(throws: Failure.self) { try findBackupPages(core, SessionFixture.description, entry: control + 0x1123) }
        #expect(throws: Failure.self) { try findBackupPages(core, SessionFixture.description, entry: 0x8000_0000) }
    }
}
