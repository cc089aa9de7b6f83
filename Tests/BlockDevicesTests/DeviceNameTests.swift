// SPDX-License-Identifier: Apache-2.0
import Basics
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

    @Test func matchesWhatADeviceHolds() {
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
}
