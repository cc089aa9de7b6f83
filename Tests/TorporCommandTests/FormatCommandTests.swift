// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Testing

@testable import MemoryImage
@testable import TorporCommand

@Suite struct FormatCommandTests {
    private let fixture: CommandFixture

    init() throws { fixture = try CommandFixture() }

    private var devices: FakeDevices { fixture.devices }

    // MARK: Output

    @Test func saysWhatItMade() throws {
        try devices.add("sdb3")
        let result = fixture.run("format", "/dev/sdb3")
        #expect(result.status == 0 && result.errors == "")
        #expect(result.output == "/dev/sdb3: 8.0 MiB, UUID=\(try devices.superblock("sdb3").uuid)\n")
        let labelled = fixture.run("format", "--label", "nap", "--bytes", "/dev/sdb3")
        let superblock = try devices.superblock("sdb3")
        #expect(labelled.output == "/dev/sdb3: 8388608, UUID=\(superblock.uuid), LABEL=nap\n")
        #expect(superblock.label == "nap" && superblock.state == .empty)
    }

    @Test func printsJSON() throws {
        try devices.add("sdb3")
        let result = fixture.run("format", "--json", "--label", "nap", "/dev/sdb3")
        #expect(result.status == 0 && result.errors == "")
        let json = try result.json
        #expect(Set(json.keys) == ["device", "byteCount", "uuid", "label", "version"])
        #expect(json["device"] as? String == "/dev/sdb3" && json["byteCount"] as? Int == 8 << 20)
        #expect(json["uuid"] as? String == (try devices.superblock("sdb3").uuid.description))
        #expect(json["label"] as? String == "nap" && json["version"] as? Int == 1)
    }

    /// The partition can be named by its tags, as for every other command.
    @Test func takesATagForADevice() throws {
        try devices.addPartition("sdb3", label: "nap")
        let result = fixture.run("format", "LABEL=nap")
        #expect(result.status == 0 && result.output.hasPrefix("/dev/sdb3: "), "\(result.errors)")
    }

    // MARK: Refusals

    /// Refusals that `--force` lifts, and the partition that it makes then.
    @Test(arguments: [
        ("swap", "it holds swap; if that may be lost, use --force"),
        ("data", "it holds data of an unknown kind; if that may be lost, use --force"),
        (
            "session",
            "it is a hibernation partition with a saved session, ready to resume; if that may be lost, use --force"
        ),
        (
            "damaged",
            "it is a hibernation partition: both its superblocks are damaged; if that may be lost, use --force"
        ),
    ]) func formatsWhatIsNotEmptyOnlyIfForced(content: String, reason: String) throws {
        switch content {
        case "swap":
            try devices.add("sdb3", content: "swap")
            try devices.put(Array("SWAPSPACE2".utf8), at: 4086, on: "sdb3")
            // libblkid wants a version and a size.
            try devices.put([1, 0, 0, 0, 0xff, 7, 0, 0], at: 1024, on: "sdb3")
        case "data":
            try devices.add("sdb3")
            try devices.put([7], at: 5000, on: "sdb3")
        case "session":
            try devices.addPartition("sdb3")
            try devices.writeImage("sdb3")
        default:
            try devices.addPartition("sdb3")
            try devices.damage("sdb3")
        }
        let before = try devices.bytes("sdb3")
        let refused = fixture.run("format", "/dev/sdb3")
        #expect(refused.status == 1 && refused.output == "")
        #expect(refused.errors == "torpor: format /dev/sdb3: \(reason)\n")
        let json = fixture.run("format", "--json", "/dev/sdb3")
        #expect(json.status == 1 && json.errors == refused.errors)
        #expect(try json.json["reason"] as? String == "format /dev/sdb3: \(reason)")
        #expect(try devices.bytes("sdb3") == before)
        let forced = fixture.run("format", "--force", "/dev/sdb3")
        #expect(forced.status == 0, "\(forced.errors)")
        #expect(try devices.superblock("sdb3").isUnused)
    }

    /// Refusals for which there is no option.
    @Test func neverFormatsADeviceInUseOrAnythingElse() throws {
        try devices.add("sdb3")
        devices.use("sdb3", "it is mounted on /srv")
        try devices.addPartition("sdb4", label: "nap")
        try devices.addPartition("sdc4", label: "nap")
        try Data(count: 4096).write(to: URL(filePath: devices.path("file")))
        for (name, message) in [
            ("/dev/sdb3", "format /dev/sdb3: it is mounted on /srv; stop using it first, or name another partition"),
            ("/dev/file", "format /dev/file: it is not a block device; name a partition under /dev"),
            ("/dev/sdz", "find /dev/sdz: there is no such device"),
            ("LABEL=none", "find LABEL=none: there is no such device"),
            ("LABEL=nap", "find LABEL=nap: there are several: /dev/sdb4, /dev/sdc4; name one with its path"),
        ] {
            for options in [[], ["--force"]] {
                let result = fixture.run(["format"] + options + [name])
                #expect(result.status == 1 && result.output == "")
                #expect(result.errors == "torpor: \(message)\n")
            }
        }
    }

    @Test func refusesASmallDevice() throws {
        try devices.add("sdb3", byteCount: 1 << 20)
        let result = fixture.run("format", "/dev/sdb3")
        #expect(result.status == 1 && result.errors.contains("use a partition of at least 4.0 MiB"), "\(result.errors)")
    }
}
