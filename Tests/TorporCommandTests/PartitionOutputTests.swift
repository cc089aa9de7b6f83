// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Testing

@testable import MemoryImage
@testable import TorporCommand

@Suite struct PartitionOutputTests {
    private let fixture: CommandFixture

    init() throws {
        fixture = try CommandFixture()
        try fixture.devices.addPartition("sdb3")
    }

    private func text() -> String { fixture.run("status", "/dev/sdb3").output }

    private func json() throws -> [String: Any] {
        try #require(try fixture.run("status", "--json", "/dev/sdb3").json["partitions"] as? [[String: Any]])[0]
    }

    @Test(arguments: [
        (Superblock.State.empty, "empty", "no image"), (.saving, "saving", "an incomplete image"),
        (.ready, "ready", "a saved session, ready to resume"),
        (.attempted, "attempted", "a session whose last resume failed"),
        (.consumed, "consumed", "an image that was already resumed"),
        (.failed, "failed", "an image of a hibernation that failed"), (.snapshot, "snapshot", "a snapshot"),
    ]) func describesEachState(state: Superblock.State, name: String, description: String) throws {
        try fixture.devices.change("sdb3") { $0.state = state }
        #expect(text().hasPrefix("/dev/sdb3: \(description)\n"))
        #expect(try json()["state"] as? String == name && json()["stateDescription"] as? String == description)
        #expect(try json()["remainingBytes"] as? Int == (state == .saving ? 8 << 20 : nil))
    }

    @Test func tellsAGivenUpSessionFromAFailedResume() throws {
        try fixture.devices.writeImage("sdb3", .attempted, reason: "a disk is missing")
        try fixture.devices.change("sdb3") { $0.isGivenUp = true }
        #expect(text().hasPrefix("/dev/sdb3: a session that was given up to boot the root file system\n"))
        #expect(text().contains("  reason      a disk is missing\n"))
        #expect(try json()["state"] as? String == "attempted")
    }

    @Test func hasEveryKeyOfAnImage() throws {
        try fixture.devices.writeImage("sdb3", .consumed, reason: "why")
        let json = try json()
        #expect(
            Set(json.keys) == [
                "device", "byteCount", "usable", "state", "stateDescription", "reason", "uuid", "label", "written",
                "codec",
                "generation", "image", "imageUUID", "host", "kernelRelease", "remainingBytes",
            ])
        let image = try #require(json["image"] as? [String: Any])
        #expect(
            Set(image.keys) == [
                "chunks", "dataPages", "omittedPages", "zeroPages", "freePages", "storedBytes", "saveMilliseconds",
            ])
        #expect(
            image["zeroPages"] as? Int == 1 && image["freePages"] as? Int == 5 && image["omittedPages"] as? Int == 6)
        #expect(json["imageUUID"] as? String == FakeDevices.imageUUID)
        #expect(
            text().contains(
                "  not erased  old contents in the first 1.0 MiB; erase them with: torpor discard /dev/sdb3\n"))
    }

    /// Format version 1 does not tell free pages from pages of zeros.
    @Test func doesNotSplitThePagesOfAnEarlierVersion() throws {
        try fixture.devices.writeImage("sdb3")
        try fixture.devices.change("sdb3") { $0.version = 1 }
        #expect(text().contains("  not stored  24.0 KiB of zero and free pages\n"))
        let image = try #require(try json()["image"] as? [String: Any])
        #expect(image["omittedPages"] as? Int == 6 && image["zeroPages"] == nil && image["freePages"] == nil)
    }

    /// The superblock is good, and the device is not: it has become smaller.
    @Test func showsTheSuperblockOfAPartitionThatCannotBeUsed() throws {
        try fixture.devices.writeImage("sdb3")
        try fixture.devices.change("sdb3") { $0.deviceByteCount = 16 << 20 }
        #expect(
            text().hasPrefix(
                "/dev/sdb3: cannot be used: it has 8.0 MiB, but 16.0 MiB when it was formatted; give it its size back, or "
                    + "format it again with: torpor format --force /dev/sdb3\n  size        16.0 MiB\n"))
        let json = try json()
        #expect(json["usable"] as? Bool == false && json["state"] as? String == "ready" && json["host"] == nil)
        #expect(json["uuid"] as? String == FakeDevices.standardUUID)
    }

    /// A superblock that somebody forged has no year of five digits.
    @Test func limitsTheTime() throws {
        try fixture.devices.change("sdb3") { $0.time = .max }
        #expect(text().contains("  written     9999-12-31T23:59:59Z\n"))
    }
}
