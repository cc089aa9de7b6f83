import Basics
import Testing

@testable import Linux

@Suite struct BlockTopologyTests {
    private static let extent = BlockDeviceExtent(device: DeviceNumber(major: 254, minor: 0), bytes: 0..<8192)

    private static func on(_ minor: UInt32, _ bytes: Range<UInt64>) -> BlockDeviceExtent {
        BlockDeviceExtent(device: DeviceNumber(major: 8, minor: minor), bytes: bytes)
    }

    @Test(arguments: [
        ("0 2048 linear 8:1 0\n", [on(1, 0..<8192)]), ("0 2048 linear 8:1 2048\n", [on(1, 1_048_576..<1_056_768)]),
        // Two pieces, the cut within the extent; what follows is not asked for.
        (
            "0 8 linear 8:1 16\n8 100 linear 8:2 32\n108 100 linear 8:3 0\n",
            [on(1, 8192..<12288), on(2, 16384..<20480)]
        ),
        ("0 2048 crypt aes-xts-plain64 :64:logon:key 0 8:5 4096 1 allow_discards\n", [on(5, 2_097_152..<2_105_344)]),
        ("0 2048 striped 2 128 8:1 0 8:2 16\n", [on(1, 0..<8192), on(2, 8192..<16384)]),
        ("0 2048 verity 1 8:7 8:8 4096 4096 256 1 sha256 00 11\n", [on(7, 0..<8192)]), ("", []),
    ])
    func followsTables(table: String, expected: [BlockDeviceExtent]) throws {
        #expect(try extents(below: Self.extent, deviceMapperTable: table) == expected)
    }

    @Test(arguments: [
        "0 2048 thin 8:1 1\n", "0 2048 cache 8:1 8:2 8:3\n", "0 2048 linear\n", "0 2048 linear 8:1\n",
        "0 2048 linear sda 0\n", "0 x linear 8:1 0\n", "0 18446744073709551615 linear 8:1 0\n",
        "0 2048 linear 8:1 18446744073709551615\n", "0 2048 crypt a b c\n", "0 2048 striped 2 128 8:1 0 8:2\n",
        "0 2048 verity 1\n", "zero\n",
    ])
    func refusesWhatItCannotFollow(table: String) {
        #expect(throws: Failure.self) { try extents(below: Self.extent, deviceMapperTable: table) }
    }

    @Test(arguments: [
        ("8:1", DeviceNumber(major: 8, minor: 1)), ("254:1048575", DeviceNumber(major: 254, minor: 1_048_575)),
        ("8", nil), ("8:1:2", nil), (":", nil), ("8:-1", nil), ("8:4294967296", nil),
    ])
    func readsDeviceNumbers(text: String, expected: DeviceNumber?) { #expect(DeviceNumber(text) == expected) }
}

@Suite struct MountTableTests {
    private func lookUp(_ path: String) -> DeviceNumber? {
        path == "/dev/sdb 1" ? DeviceNumber(major: 8, minor: 17) : nil
    }

    @Test(arguments: [
        (
            "22 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw\n",
            [BlockDeviceUse(description: "the ext4 on /", device: DeviceNumber(major: 8, minor: 2))]
        ),
        // Read-only, with no optional field and with two.
        (
            "30 22 254:0 / /srv\\040x ro - xfs /dev/mapper/a ro\n31 22 8:3 / /b rw master:1 shared:2 - vfat /dev/sda3 rw\n",
            [
                BlockDeviceUse(description: "the xfs on /srv x", device: DeviceNumber(major: 254, minor: 0)),
                BlockDeviceUse(description: "the vfat on /b", device: DeviceNumber(major: 8, minor: 3)),
            ]
        ),
        (
            "40 22 0:35 /@ /home rw - btrfs /dev/sdb\\0401 rw,subvol=/@\n",
            [BlockDeviceUse(description: "the btrfs on /home", device: DeviceNumber(major: 8, minor: 17))]
        ),
        ("23 22 0:21 / /proc rw - proc proc rw\n50 22 0:40 / /n rw - nfs server:/x rw\n", []),
        ("51 22 0:41 / /o rw - overlay /dev/none rw\n", []), ("garbage\n22 1 8:2 / / rw\n", []), ("", []),
    ])
    func findsMountedDevices(table: String, expected: [BlockDeviceUse]) {
        #expect(mountedDevices(table, lookUp) == expected)
    }

    @Test func findsSwapDevices() {
        let table = """
            Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority
            /dev/sdb\\0401                               partition\t1000\t\t0\t\t-2
            /swapfile                               file\t\t1000\t\t0\t\t-3
            /dev/gone                               partition\t1000\t\t0\t\t-4

            """
        #expect(swapDevices(table, lookUp).map(\.device) == [DeviceNumber(major: 8, minor: 17)])
    }
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
}
