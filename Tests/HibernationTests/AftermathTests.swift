// SPDX-License-Identifier: Apache-2.0
import Basics
import MemoryImage
import Testing

@testable import BlockDevices
@testable import Hibernation
@testable import Linux

@Suite struct AftermathTests {
    private typealias Device = CatalogDevice

    /// What was resumed from one disk is still readable on its clone.
    @Test func findsTheCopiesWithContents() throws {
        func device(_ path: String, _ uuid: UInt8, pages: UInt64) -> Device {
            var superblock = superblock(uuid, .consumed, image: 5)
            superblock.counts.storedBytes = pages == 0 ? 0 : 2 << 20
            return Device(path: path, superblock: superblock)
        }
        let devices = catalog([
            device("/dev/a", 1, pages: 0), device("/dev/b", 1, pages: 1), device("/dev/c", 1, pages: 0),
            device("/dev/d", 2, pages: 1), Device(path: "/dev/e", content: "ext4"),
        ])
        try devices.refresh()
        #expect(try Hibernate.copies(of: "/dev/a", devices) == ["/dev/b"])
        #expect(try Hibernate.copies(of: "/dev/d", devices) == [])
        #expect(try Hibernate.copies(of: "/nowhere/disk", devices) == [])
    }
}
