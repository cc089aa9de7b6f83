// SPDX-License-Identifier: Apache-2.0
import Basics
import MemoryImage

/// A session of a machine with memory that was plugged in.
enum PluggedMemoryFixture {
    static let backup: [PhysicalRange] = [0x1000..<0x9f000, 0x10_0000..<0x200_0000, 0x210_0000..<0x800_0000]
    static let plugged: PhysicalRange = 0x1_0000_0000..<0x1_4000_0000

    static var description: ImageDescription {
        var description = ImageDescription()
        description.backupRanges = backup
        description.memoryRanges = backup + [0x800_0000..<0x4000_0000, plugged]
        description.machine.hotPluggedRanges = [plugged]
        description.jumpBackEntry = 0x3000_0000
        description.machine.processorCount = 4
        description.machine.firmwareMap = [
            .init(addresses: 0..<0x9fc00, type: "System RAM"),
            .init(addresses: 0x10_0000..<0x4000_0000, type: "System RAM"),
        ]
        return description
    }
}
