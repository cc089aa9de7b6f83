// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Testing

@testable import TorporCommand

@Suite struct DeviceSystemTests {
    private let devices = LinuxDevices()

    @Test func tellsBlockDevicesFromOtherFiles() throws {
        #expect(try !devices.isBlockDevice("/dev/null"))
        #expect(try !devices.isBlockDevice("/proc/mounts"))
        let failure = #expect(throws: Failure.self) { try devices.isBlockDevice("/nowhere/disk") }
        #expect(failure?.errno == ENOENT)
    }

    /// Only EBUSY means that somebody uses a device; every other error is one.
    @Test func namesNoUserOfAFreeFile() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)").path
        try Data(count: 4096).write(to: URL(filePath: file))
        defer { try? FileManager.default.removeItem(atPath: file) }
        #expect(try devices.user(of: file) == nil)
        try devices.requireUnused(file, "format")
        let failure = #expect(throws: Failure.self) { try devices.user(of: "/nowhere/disk") }
        #expect(failure?.errno == ENOENT)
    }

    @Test func refusesADeviceInUse() throws {
        let fake = try FakeDevices()
        try fake.add("sdb3")
        fake.use("sdb3", "it is in use as swap")
        let failure = #expect(throws: Failure.self) { try fake.requireUnused(fake.path("sdb3"), "format") }
        #expect(
            failure.map { fake.shown($0.description) }
                == "format /dev/sdb3: it is in use as swap; stop using it first, or name another partition")
    }
}
