// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import TorporCommand

@Suite struct ConfigurationFileTests {
    private let fixture: CommandFixture

    init() throws { fixture = try CommandFixture() }

    private var file: ConfigurationFile { ConfigurationFile(path: fixture.boot.folder.path + "/etc/torpor.conf") }

    @Test func hasNoSettingsWithoutAFile() throws { #expect(try file.read().settings.isEmpty) }

    @Test func readsAFile() throws {
        try fixture.boot.write("/etc/torpor.conf", "codec = xz\n")
        #expect(try file.read().value("codec") == "xz")
    }

    @Test func namesTheFileThatCannotBeRead() throws {
        try fixture.boot.make("/etc/torpor.conf")
        let failure = #expect(throws: Failure.self) { try file.read() }
        #expect(failure?.description == "read /etc/torpor.conf: Is a directory")
        try fixture.boot.remove("/etc/torpor.conf")
        try fixture.boot.write("/etc/torpor.conf", String(repeating: "#\n", count: Configuration.byteLimit))
        let other = #expect(throws: Failure.self) { try file.read() }
        #expect(other?.description == "read /etc/torpor.conf: it is larger than 64.0 KiB")
    }
}
