// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import Testing

@testable import BlockDevices

@Suite struct RAIDArrayTests {
    private static let device = DeviceNumber(major: 254, minor: 0)

    private static func on(_ minor: UInt32, _ bytes: DeviceRange) -> BlockDeviceExtent {
        BlockDeviceExtent(device: DeviceNumber(major: 8, minor: minor), bytes: bytes)
    }

    private static func place(_ minor: UInt32, _ offset: UInt64 = 0) -> DevicePlace {
        DevicePlace(device: DeviceNumber(major: 8, minor: minor), offset: offset)
    }

    private func places(_ parts: [DevicePart], _ range: DeviceRange) throws -> [BlockDeviceExtent] {
        try parts.flatMap { try $0.places(of: range, Self.device) }
    }

    private func array(_ level: String, _ count: UInt64, layout: UInt64 = 0, sizes: [UInt64?]) -> RAIDArray {
        RAIDArray(
            level: level, memberCount: count, chunk: 65536, layout: layout,
            members: sizes.enumerated().map { number, size in
                size.map { RAIDArray.Member(place: Self.place(UInt32(number), 1 << 20), byteCount: $0) }
            })
    }

    /// Every row of the members that holds a byte of the range, and none but these.
    @Test func followsArrays() throws {
        let mebibyte: UInt64 = 1 << 20
        func rows(_ minors: [UInt32], _ rows: DeviceRange) -> [BlockDeviceExtent] {
            minors.map { Self.on($0, mebibyte + rows.lowerBound * 65536..<mebibyte + rows.upperBound * 65536) }
        }
        let whole: [UInt64?] = [64 << 20, 64 << 20, 64 << 20, 64 << 20]
        let range: DeviceRange = 12 * 65536..<12 * 65536 + 4096
        #expect(
            try places(array("raid0", 4, sizes: whole).parts(byteCount: 256 << 20), range) == rows([0, 1, 2, 3], 3..<4))
        #expect(
            try places(array("raid5", 4, sizes: whole).parts(byteCount: 192 << 20), range) == rows([0, 1, 2, 3], 4..<5))
        #expect(
            try places(array("raid6", 4, sizes: whole).parts(byteCount: 128 << 20), range) == rows([0, 1, 2, 3], 6..<7))
        #expect(
            try places(array("raid10", 4, layout: 0x102, sizes: whole).parts(byteCount: 128 << 20), range)
                == rows([0, 1, 2, 3], 6..<7))
        // Copies that are not a divisor of the members: chunk 12 is at the places 24 and 25, in row 8.
        #expect(
            try places(
                array("raid10", 3, layout: 0x102, sizes: [1 << 26, 1 << 26, 1 << 26]).parts(byteCount: 96 << 20), range)
                == rows([0, 1, 2], 8..<9))
        // A member that is missing has nothing, the others have all.
        #expect(
            try places(array("raid1", 2, sizes: [1 << 26, nil]).parts(byteCount: 64 << 20), range)
                == [Self.on(0, mebibyte + range.lowerBound..<mebibyte + range.upperBound)])
        #expect(
            try places(array("raid5", 4, sizes: [1, nil, 1, 1]).parts(byteCount: 192 << 20), range)
                == rows([0, 2, 3], 4..<5))
        // Behind the end of the smallest member.
        let uneven = array("raid0", 2, sizes: [1 << 20, 64 << 20]).parts(byteCount: 65 << 20)
        #expect(try places(uneven, 0..<4096).count == 2)
        #expect(throws: Failure.self) { try places(uneven, 4 << 20..<5 << 20) }
        for other in [
            array("raid0", 2, sizes: [1 << 26, nil]), array("raid10", 4, layout: 0x201, sizes: whole),
            array("raid9", 4, sizes: whole), array("raid1", 2, sizes: [nil, nil]), array("raid5", 1, sizes: [1 << 26]),
        ] {
            #expect(throws: Failure.self) { try places(other.parts(byteCount: 1 << 26), 0..<4096) }
        }
    }
}
