// SPDX-License-Identifier: Apache-2.0
import Basics
import MemoryImage

/// A small session, whose memory is that of `CoreFixture`.
enum SessionFixture {
    static let session = UUID("01234567-89ab-4cde-8f01-23456789abcd") ?? .zero
    private static let backup: [PhysicalRange] = [0x1000..<0x4000]

    static var description: ImageDescription {
        var description = ImageDescription()
        description.session = session
        description.host = "a"
        description.memoryRanges = backup + [CoreFixture.memory]
        description.backupRanges = backup
        return description
    }
}
