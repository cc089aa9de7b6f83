// SPDX-License-Identifier: Apache-2.0
import Linux
import Testing

@Suite struct DeviceNumberTests {
    @Test(arguments: [
        ("8:1", DeviceNumber(major: 8, minor: 1)), ("254:1048575", DeviceNumber(major: 254, minor: 1_048_575)),
        ("8", nil), ("8:1:2", nil), (":", nil), ("8:-1", nil), ("8:4294967296", nil),
    ])
    func readsDeviceNumbers(text: String, expected: DeviceNumber?) { #expect(DeviceNumber(text) == expected) }
}
