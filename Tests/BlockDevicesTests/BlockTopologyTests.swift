// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Testing

@testable import BlockDevices
@testable import Linux

@Suite struct BlockTopologyTests {
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

    @Test(
        arguments: [
            ("0 2048 linear 8:1 0\n", 0..<8192, [on(1, 0..<8192)]),
            ("0 2048 linear 8:1 2048\n", 0..<8192, [on(1, 1_048_576..<1_056_768)]),
            ("0 2048 linear 8:1 2048\n", 4096..<8192, [on(1, 1_052_672..<1_056_768)]),
            // Two pieces, the cut within the range; what follows is not asked for.
            (
                "0 8 linear 8:1 16\n8 100 linear 8:2 32\n108 100 linear 8:3 0\n", 0..<8192,
                [on(1, 8192..<12288), on(2, 16384..<20480)]
            ),
            ("0 2048 crypt aes :64:logon:key 0 8:5 4096 1 allow_discards\n", 0..<8192, [on(5, 2_097_152..<2_105_344)]),
            // Stripes of 64 KiB: the beginning is on both, 130 KiB on the second row of both.
            ("0 2048 striped 2 128 8:1 0 8:2 16\n", 0..<8192, [on(1, 0..<65536), on(2, 8192..<73728)]),
            ("0 2048 striped 2 128 8:1 0 8:2 0\n", 133_120..<137_216, [on(1, 65536..<131072), on(2, 65536..<131072)]),
            ("0 2048 verity 1 8:7 8:8 4096 4096 256 1 sha256 00 11\n", 0..<8192, [on(7, 0..<8192)]),
            ("0 2048 mirror core 1 1024 2 8:1 0 8:2 8\n", 0..<4096, [on(1, 0..<4096), on(2, 4096..<8192)]),
            (
                "0 2048 multipath 1 queue_if_no_path 0 1 1 service-time 0 2 2 8:16 1 1 8:32 1 1\n", 0..<4096,
                [on(16, 0..<4096), on(32, 0..<4096)]
            ),
            (
                "0 2048 raid raid1 3 0 region_size 1024 2 8:1 8:2 8:3 8:4\n", 0..<4096,
                [on(2, 0..<4096), on(4, 0..<4096)]
            ),
            // Three members and parity: 512 KiB are in the fifth of rows of 128 KiB.
            (
                "0 4096 raid raid5_ls 1 128 3 - 8:2 - 8:4 - 8:6\n", 524_288..<528_384,
                [on(2, 262_144..<327_680), on(4, 262_144..<327_680), on(6, 262_144..<327_680)]
            ),
            ("0 2048 snapshot-origin 8:9\n", 0..<4096, [on(9, 0..<4096)]), ("0 2048 zero\n", 0..<4096, []),
            ("", 0..<4096, []),
        ] as [(String, DeviceRange, [BlockDeviceExtent])])
    func followsTables(table: String, range: DeviceRange, expected: [BlockDeviceExtent]) throws {
        #expect(try places(parts(ofTable: table, Self.device), range) == expected)
    }

    @Test(arguments: [
        "0 2048 thin 8:1 1\n", "0 2048 cache 8:1 8:2 8:3\n", "0 2048 linear\n", "0 2048 linear 8:1\n",
        "0 2048 linear sda 0\n", "0 x linear 8:1 0\n", "0 18446744073709551615 linear 8:1 0\n",
        "0 2048 linear 8:1 18446744073709551615\n", "0 2048 crypt a b c\n", "0 2048 striped 2 128 8:1 0 8:2\n",
        "0 2048 striped 2 0 8:1 0 8:2 0\n", "0 2048 verity 1\n", "zero\n", "0 2048 mirror core 99 1 2 8:1 0\n",
        "0 2048 mirror core 1 1024 3 8:1 0 8:2 0\n", "0 2048 multipath 0 0 0\n", "0 2048 raid raid5_ls 1 128 3 - 8:2\n",
        "0 2048 raid raid10 1 128 2 - 8:2 - 8:4\n", "0 2048 raid raid1 3 0 data_offset 8 2 - 8:2 - 8:4\n",
        "0 2048 integrity 8:1 0 32 J 0\n", "0 2048 raid\n",
    ])
    func refusesWhatItCannotFollow(table: String) {
        #expect(throws: Failure.self) { try places(parts(ofTable: table, Self.device), 0..<8192) }
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

    @Test(arguments: [
        ("8:1", DeviceNumber(major: 8, minor: 1)), ("254:1048575", DeviceNumber(major: 254, minor: 1_048_575)),
        ("8", nil), ("8:1:2", nil), (":", nil), ("8:-1", nil), ("8:4294967296", nil),
    ])
    func readsDeviceNumbers(text: String, expected: DeviceNumber?) { #expect(DeviceNumber(text) == expected) }
}

@Suite struct ProcessorTests {
    @Test func fitsItself() {
        let features = processorFeatures()
        #expect(features.count == 7)
        #expect(features[0] != 0)
        #expect(processorDifference(features, features) == nil)
    }

    @Test(
        arguments: [
            ([1, 2, 0b0110], [1, 2, 0b1110], nil),
            ([1, 2, 0b0110], [1, 2, 0b1010], "it lacks features (dtes64)"),
            ([1, 2, 0], [1, 3, 0], "it is another one"), ([1, 2, 0], [0, 2, 0], "it is another one"),
            ([1, 2], [1, 2, 0], "it is described in another way"), ([], [1], "it is described in another way"),
        ] as [([UInt64], [UInt64], String?)])
    func comparesFeatures(old: [UInt64], new: [UInt64], expected: String?) {
        #expect(processorDifference(old, new) == expected)
    }

    @Test(arguments: [
        ("0", 1), ("0-3", 4), ("0-1,4,6-7", 5), ("", nil), ("0-", nil), ("3-1", nil), ("0,,1", nil), ("0-65536", nil),
        ("a", nil), ("0-1-2", nil),
    ])
    func countsProcessors(list: String, expected: Int?) { #expect(processorCount(inList: list) == expected) }

    /// A device may begin in memory or in a file, and go on on a disk.
    @Test func asksForTheWholeOfADevice() throws {
        func part(_ range: DeviceRange, _ layout: DevicePart.Layout) -> DevicePart {
            DevicePart(bytes: range, layout)
        }
        let dm = DeviceNumber(major: 254, minor: 0), loop = DeviceNumber(major: 7, minor: 0)
        let disk = DeviceNumber(major: 8, minor: 1)
        func isOnDisk(_ parts: [DevicePart]) throws -> Bool {
            try BlockTopology([dm: .parts(parts), loop: .none, disk: .disk(1 << 30)]).isOnDisk(dm)
        }
        let head = part(0..<8192, .copies([DevicePlace(device: loop, offset: 0)]))
        #expect(try !isOnDisk([head]))
        #expect(try isOnDisk([head, part(8192..<16384, .copies([DevicePlace(device: disk, offset: 0)]))]))
        #expect(
            try isOnDisk([
                part(0..<8192, .rows(chunk: 4096, chunks: 1, copies: 1, [DevicePlace(device: disk, offset: 0)]))
            ]))
        #expect(try isOnDisk([head, part(8192..<16384, .hidden("it is scattered"))]))
        #expect(try !isOnDisk([head, part(8192..<8192, .hidden("it is scattered"))]))
        // Even a table that is a circle is followed to its end.
        #expect(try !isOnDisk([part(0..<8192, .copies([DevicePlace(device: dm, offset: 0)]))]))
    }

    @Test func readsWhatSysfsSaysOfADevice() throws {
        let root = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: root) }
        func write(_ text: String, _ path: String) throws {
            let file = root.appending(path: path)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try text.write(to: file, atomically: false, encoding: .utf8)
        }
        try write("host-managed\n", "devices/sda/queue/zoned")
        try write("1\n", "devices/sda/ro")
        try write("1\n", "devices/sda/sda1/partition")
        try write("0\n", "devices/sda/sda1/ro")
        try write("none\n", "devices/sdb/queue/zoned")
        try FileManager.default.createDirectory(
            at: root.appending(path: "dev/block"), withIntermediateDirectories: true)
        for (number, target) in [("8:0", "sda"), ("8:1", "sda/sda1"), ("8:16", "sdb")] {
            try FileManager.default.createSymbolicLink(
                atPath: root.appending(path: "dev/block/\(number)").path, withDestinationPath: "../../devices/\(target)"
            )
        }
        func number(_ text: String) throws -> DeviceNumber { try #require(DeviceNumber(text)) }
        #expect(
            try ["8:0", "8:1", "8:16", "8:17"].map { isZoned(try number($0), sysfs: root.path) } == [
                true, true, false, false,
            ])
        #expect(
            try ["8:0", "8:1", "8:16"].map { isReadOnly(try number($0), sysfs: root.path) } == [true, false, false])
    }
}
