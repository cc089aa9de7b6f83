// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import MemoryImage
import Testing

@testable import Hibernation

@Suite struct ExFATTelltalesTests {
    @Test func findsTableBitmapAndFoldersOfAnExFAT() throws {
        let found = try #require(try telltales("exfat", isDeviceReadOnly: false, DiskImage.exFAT().reader))
        #expect(found.areMoving)
        #expect(contains(found.ranges, 16 << 20..<(16 << 20) + 64 * 512))
        func cluster(_ number: UInt64) -> DeviceRange {
            let start = UInt64(32 << 20) + (number - 2) * 4096
            return start..<start + 4096
        }
        for number in [UInt64(2), 4, 10, 11, 30, 40] { #expect(contains(found.ranges, cluster(number))) }
        for number in [UInt64(3), 12, 20, 21, 31] { #expect(!overlaps(found.ranges, cluster(number))) }
    }

    @Test func refusesAnExFATThatIsMalformed() {
        func expectRefusal(_ change: (DiskImage) -> Void) {
            let disk = DiskImage.exFAT()
            change(disk)
            #expect(throws: Failure.self) { try telltales("exfat", isDeviceReadOnly: false, disk.reader) }
            #expect(disk.reads < 10_000)
        }
        expectRefusal { $0.put([0], at: 3) }
        expectRefusal { $0.put([13], at: 108) }
        expectRefusal { $0.put([17], at: 109) }
        expectRefusal { $0.put([3], at: 110) }
        expectRefusal { $0.put(UInt32.max, at: 84) }
        expectRefusal { $0.put(UInt32.max, at: 88) }
        expectRefusal { $0.put(UInt32.max, at: 92) }
        // The root is no cluster; a folder is in itself, behind the end, and its chain is a circle; so is the bitmap's.
        expectRefusal { $0.put(UInt32(1), at: 96) }
        expectRefusal {
            $0.put(UInt32(4), at: DiskImage.exFATFolder + 32 + 20); $0.put(UInt16(0x10), at: DiskImage.exFATFolder + 4)
        }
        expectRefusal { $0.put(UInt32(5000), at: (32 << 20) + 2 * 4096 + 3 * 32 + 20) }
        expectRefusal { $0.put(UInt32(30), at: (16 << 20) + 30 * 4) }
        expectRefusal { $0.put(UInt32(2), at: (16 << 20) + 2 * 4) }
        expectRefusal { $0.put(UInt64.max, at: (32 << 20) + 2 * 4096 + 3 * 32 + 24) }
    }

    @Test(.enabled(if: exists("/usr/sbin/mkfs.exfat")))
    func findsThePlacesOfARealExFAT() throws {
        try withFileSystem("/usr/sbin/mkfs.exfat -b 16M") { (reader: FileSystemReader) throws in
            let found = try #require(try telltales("exfat", isDeviceReadOnly: false, reader))
            // The table begins with the medium's mark; the root with an entry of the bitmap or the label.
            let places = found.ranges.dropFirst()
            let table = try #require(places.first)
            #expect(try reader.bytes(at: table.lowerBound, count: 4) == [0xf8, 0xff, 0xff, 0xff])
            #expect(places.allSatisfy { $0.lowerBound >= 16 << 20 })
            let marks = try places.dropFirst().map { try reader.bytes(at: $0.lowerBound, count: 1)[0] }
            #expect(marks.contains { [0x81, 0x83, 0x03].contains($0) } && places.count >= 3)
        }
    }
}
