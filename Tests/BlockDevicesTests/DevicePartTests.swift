// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import Testing

@testable import BlockDevices

@Suite struct DevicePartTests {
    private static let device = DeviceNumber(major: 254, minor: 0)

    private static func on(_ minor: UInt32, _ bytes: DeviceRange) -> BlockDeviceExtent {
        BlockDeviceExtent(device: DeviceNumber(major: 8, minor: minor), bytes: bytes)
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
    func refusesTablesItCannotFollow(table: String) {
        #expect(throws: Failure.self) { try places(parts(ofTable: table, Self.device), 0..<8192) }
    }
}
