// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Testing

@testable import MemoryImage
@testable import TorporCommand

@Suite struct VerifyCommandTests {
    private let fixture: CommandFixture

    init() throws {
        fixture = try CommandFixture()
        try fixture.devices.addPartition("sdb3")
    }

    @Test(arguments: [Superblock.State.ready, .attempted, .consumed, .snapshot])
    func verifiesAnImageInEachState(state: Superblock.State) throws {
        try fixture.devices.writeImage("sdb3", state)
        let before = try fixture.devices.bytes("sdb3")
        for arguments in [
            ["verify"], ["verify", "/dev/sdb3"], ["verify", "--bytes", "UUID=\(FakeDevices.standardUUID)"],
        ] {
            let result = fixture.run(arguments)
            #expect(result.status == 0 && result.errors == "")
            #expect(result.output == "/dev/sdb3: 1 chunk verified\n")
        }
        #expect(try fixture.devices.bytes("sdb3") == before, "nothing is changed")
    }

    @Test func verifyPrintsJSON() throws {
        try fixture.devices.writeImage("sdb3")
        let result = fixture.run("verify", "--json", "/dev/sdb3")
        #expect(result.status == 0 && result.errors == "")
        let json = try result.json
        #expect(Set(json.keys) == ["device", "chunks", "version"])
        #expect(json["device"] as? String == "/dev/sdb3" && json["chunks"] as? Int == 1 && json["version"] as? Int == 1)
    }

    private func expectFailure(_ arguments: [String], _ message: String) throws {
        let text = fixture.run(["verify"] + arguments), json = fixture.run(["verify", "--json"] + arguments)
        for result in [text, json] { #expect(result.status == 1 && result.errors == "torpor: \(message)\n") }
        #expect(text.output == "")
        #expect(try json.json["reason"] as? String == message)
    }

    @Test func failsWithoutAnImage() throws {
        try expectFailure(["/dev/sdb3"], "verify /dev/sdb3: it holds no image")
        try fixture.devices.change("sdb3") { $0.state = .saving }
        try expectFailure([], "verify /dev/sdb3: it holds an incomplete image")
        try fixture.devices.add("sdc1")
        try expectFailure(
            ["/dev/sdc1"],
            "open /dev/sdc1: it is not a hibernation partition; make it one with: torpor format /dev/sdc1")
        try expectFailure(["/dev/sdz"], "find /dev/sdz: there is no such device")
    }

    /// A byte of the memory, of the chunk's header, of the index or of the description.
    @Test func failsIfAByteIsWrong() throws {
        try fixture.devices.writeImage("sdb3")
        let good = try fixture.devices.bytes("sdb3")
        let superblock = try fixture.devices.superblock("sdb3")
        for offset in [
            superblock.descriptionExtent.offset, superblock.indexExtent.offset, Superblock.dataOffset,
            Superblock.dataOffset + 8192,
        ] {
            try fixture.devices.put([good[Int(offset)] ^ 1], at: offset, on: "sdb3")
            let result = fixture.run("verify")
            #expect(result.status == 1 && result.output == "" && result.errors.hasPrefix("torpor: "), "\(offset)")
            try fixture.devices.put([good[Int(offset)]], at: offset, on: "sdb3")
        }
        #expect(fixture.run("verify").status == 0)
    }

    @Test func needsANameIfThereAreSeveral() throws {
        try expectFailure([], "verify /dev/sdb3: it holds no image")
        try fixture.devices.addPartition("sdc3", uuid: "00000000-0000-4000-8000-000000000001")
        try expectFailure(
            [],
            "find the hibernation partition: there are several: /dev/sdb3, /dev/sdc3; name one with torpor verify DEVICE"
        )
    }
}
