// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import MemoryImage
@testable import TorporCommand

@Suite struct DiscardCommandTests {
    private let fixture: CommandFixture

    init() throws {
        fixture = try CommandFixture()
        try fixture.devices.addPartition("sdb3")
    }

    private var devices: FakeDevices { fixture.devices }

    /// What each state is called, and how an image in it is discarded.
    @Test(arguments: [
        (Superblock.State.ready, "a saved session, ready to resume"),
        (.attempted, "a session whose last resume failed"), (.consumed, "an image that was already resumed"),
        (.snapshot, "a snapshot"), (.failed, "an image of a hibernation that failed"),
    ]) func discardErasesAndSaysHow(state: Superblock.State, description: String) throws {
        try devices.writeImage("sdb3", state)
        let before = fixture.run("status", "/dev/sdb3").output
        #expect(
            before.contains("erase them with: torpor discard /dev/sdb3") == (state == .consumed || state == .failed))
        let result = fixture.run("discard", "/dev/sdb3")
        #expect(result.status == 0 && result.errors == "")
        let lines = result.output.split(separator: "\n").map(String.init)
        #expect(lines.count == 2 && lines[0] == "/dev/sdb3: discarded \(description)")
        #expect(
            [
                "/dev/sdb3: contents erased: the device discarded them and reads as zeros",
                "/dev/sdb3: contents erased: overwritten with zeros",
            ].contains(lines[1]))
        #expect(try devices.bytes("sdb3")[(1 << 20)...].allSatisfy { $0 == 0 })
        #expect(fixture.run("discard", "/dev/sdb3").output == "/dev/sdb3: holds no image\n")
        let after = fixture.run("status", "/dev/sdb3").output
        #expect(after.hasPrefix("/dev/sdb3: no image\n") && !after.contains("erase"))
    }

    /// Without a name, the only partition is meant.
    @Test func printsJSON() throws {
        try devices.writeImage("sdb3")
        let result = fixture.run("discard", "--json")
        #expect(result.status == 0 && result.errors == "")
        let json = try result.json
        #expect(Set(json.keys) == ["device", "discarded", "erased", "version"])
        #expect(json["device"] as? String == "/dev/sdb3" && json["version"] as? Int == 1)
        #expect(["discard", "zeros"].contains(json["erased"] as? String))
        #expect(json["discarded"] as? String == "a saved session, ready to resume")
        let again = try fixture.run("discard", "--json").json
        #expect(again["discarded"] as? String == "no image" && again["erased"] == nil)
    }

    @Test func failsAndChangesNothing() throws {
        try devices.addPartition("sdc3", label: "nap", uuid: "00000000-0000-4000-8000-000000000001")
        try devices.writeImage("sdc3")
        try devices.add("sdd1")
        devices.use("sdc3", "the block device dm-0 holds it")
        let before = try devices.bytes("sdc3")
        for (arguments, message) in [
            (
                ["/dev/sdc3"],
                "discard the image on /dev/sdc3: the block device dm-0 holds it; stop using it first, or name another partition"
            ),
            (["/dev/sdz"], "find /dev/sdz: there is no such device"),
            (
                ["/dev/sdd1"],
                "open /dev/sdd1: it is not a hibernation partition; make it one with: torpor format /dev/sdd1"
            ),
            (
                [],
                "find the hibernation partition: there are several: /dev/sdb3, /dev/sdc3; name one with torpor discard DEVICE"
            ),
        ] {
            let text = fixture.run(["discard"] + arguments), json = fixture.run(["discard", "--json"] + arguments)
            for result in [text, json] { #expect(result.status == 1 && result.errors == "torpor: \(message)\n") }
            #expect(text.output == "")
            #expect(try json.json["reason"] as? String == message)
        }
        #expect(try devices.bytes("sdc3") == before)
    }
}
