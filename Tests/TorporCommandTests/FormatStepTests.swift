// SPDX-License-Identifier: Apache-2.0
import Basics
import MemoryImage
import Testing

@testable import TorporCommand

/// What `torpor setup` does with a partition that holds something.
@Suite struct FormatStepTests {
    private let fixture: CommandFixture

    init() throws {
        fixture = try CommandFixture()
        fixture.hibernation.onCheck = { (_, _) throws(Failure) in ("/dev/sdb3", ["mem=128M"]) }
        for path in [
            "/usr/bin/dracut", "/usr/lib/dracut/modules.d/74torpor/module-setup.sh", "/usr/lib/torpor/vmlinuz",
        ] {
            try fixture.boot.write(path, "")
        }
        try fixture.devices.add("sdb3")
        try fixture.devices.put(Array("data".utf8), at: 1 << 20, on: "sdb3")
    }

    @Test func asksBeforeDataIsLost() throws {
        fixture.answers = ["yes"]
        let result = fixture.run("setup", "/dev/sdb3")
        #expect(result.status == 0, "\(result.errors)")
        #expect(
            result.output.contains(
                "1. format /dev/sdb3: it holds data of an unknown kind, and ALL OF IT WILL BE LOST\n"))
        #expect(
            result.errors.contains("/dev/sdb3: it holds data of an unknown kind. Type yes to lose all of it: "))
        #expect(try fixture.devices.superblock("sdb3").state == .empty)
    }

    @Test(arguments: [["no"], ["y"], ["YES"], [""], []]) func keepsDataWithoutTheWordYes(answers: [String]) throws {
        fixture.answers = answers
        let before = try fixture.devices.bytes("sdb3")
        let result = fixture.run("setup", "/dev/sdb3")
        #expect(result.status == 1 && result.errors.contains("use --force if its contents may be lost"))
        #expect(try fixture.devices.bytes("sdb3") == before)
        #expect(fixture.boot.text("/etc/torpor.conf") == nil && fixture.programs.commands == [])
    }

    @Test func keepsDataIfNobodyCanBeAsked() throws {
        let before = try fixture.devices.bytes("sdb3")
        let result = fixture.run("setup", "/dev/sdb3")
        #expect(result.status == 1 && result.errors.contains("nobody can be asked whether that may be lost"))
        #expect(try fixture.devices.bytes("sdb3") == before)
        #expect(fixture.run("setup", "--force", "/dev/sdb3").status == 0)
        #expect(try fixture.devices.superblock("sdb3").state == .empty)
    }

    /// Not even --force drops a session: `torpor discard` does.
    @Test(arguments: [Superblock.State.ready, .attempted, .snapshot]) func keepsASession(state: Superblock.State) throws
    {
        try fixture.devices.addPartition("sdb4")
        try fixture.devices.writeImage("sdb4", state)
        let before = try fixture.devices.bytes("sdb4")
        let result = fixture.run("setup", "--force", "/dev/sdb4")
        #expect(result.status == 1 && result.errors.contains("torpor discard /dev/sdb4"), "\(result.errors)")
        #expect(try fixture.devices.bytes("sdb4") == before)
    }

    @Test func refusesADeviceInUse() throws {
        fixture.devices.use("sdb3", "it is mounted on /srv")
        let result = fixture.run("setup", "--force", "/dev/sdb3")
        #expect(result.status == 1)
        #expect(result.errors.contains("torpor: set up /dev/sdb3: it is mounted on /srv; stop using it first"))
    }
}
