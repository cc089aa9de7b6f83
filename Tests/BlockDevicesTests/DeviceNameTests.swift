// SPDX-License-Identifier: Apache-2.0
import BlockStore
import Testing

@testable import BlockDevices

@Suite struct DeviceNameTests {
    @Test(
        arguments: [
            ("/dev/sda1", .path("/dev/sda1")), ("UUID=ab", .uuid("ab")), ("LABEL=my disk", .label("my disk")),
            ("PARTUUID=1-02", .partitionUUID("1-02")), ("PARTLABEL=x=y", .partitionLabel("x=y")), ("", nil),
            ("sda1", nil),
            ("uuid=ab", nil), ("UUID=", nil), ("ID=x", nil),
        ] as [(String, DeviceName?)])
    func readsNames(text: String, expected: DeviceName?) {
        #expect(DeviceName(text) == expected)
        if let expected { #expect(expected.description == text) }
    }

    @Test func matchesTheContentOfADevice() {
        var content = BlockDeviceContent()
        content.uuid = "ABCD-12"
        content.label = "Data"
        content.partitionUUID = "0a-01"
        content.partitionLabel = "Part"
        let table: [(DeviceName, Bool)] = [
            (.path("/dev/x"), true), (.path("/dev/y"), false), (.uuid("abcd-12"), true), (.uuid("abcd"), false),
            (.label("Data"), true), (.label("data"), false), (.partitionUUID("0A-01"), true),
            (.partitionLabel("Part"), true),
            (.partitionLabel("Data"), false),
        ]
        for (name, expected) in table { #expect(name.matches(path: "/dev/x", content) == expected, "\(name)") }
        #expect(!DeviceName.uuid("").matches(path: "/dev/x", BlockDeviceContent()))
    }

    @Test(
        arguments: [
            ("/dev/disk/by-uuid/1234-ABCD", .uuid("1234-ABCD")), ("/dev/disk/by-label/nap", .label("nap")),
            ("/dev/disk/by-label/my\\x20disk\\x2f1", .label("my disk/1")),
            ("/dev/disk/by-label/\\xc3\\xa9t\\xc3\\xa9", .label("été")), ("/dev/disk/by-label/a\\x2", .label("a\\x2")),
            ("/dev/disk/by-label/a\\xzz", .label("a\\xzz")),
            ("/dev/disk/by-partuuid/0a-01", .partitionUUID("0a-01")),
            ("/dev/disk/by-partlabel/EFI\\x20System", .partitionLabel("EFI System")),
            ("/dev/disk/by-label/", .path("/dev/disk/by-label/")), ("/dev/sda1", .path("/dev/sda1")),
            ("/dev/disk/by-id/wwn-0x1", .path("/dev/disk/by-id/wwn-0x1")),
        ] as [(String, DeviceName)])
    func resolvesLinksThatStandForATag(path: String, expected: DeviceName) { #expect(DeviceName(path) == expected) }

    @Test(arguments: ["=UUID=x", "==LABEL=x"])
    func refusesANameBeforeTheTag(text: String) { #expect(DeviceName(text) == nil) }
}
