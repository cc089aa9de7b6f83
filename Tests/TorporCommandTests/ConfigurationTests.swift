// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import TorporCommand

/// The form of /etc/torpor.conf.
@Suite struct ConfigurationTests {
    private func read(_ text: String) throws -> Configuration {
        try Configuration(Array(text.utf8), path: "/etc/torpor.conf")
    }

    @Test func readsSettingsWithTheirLines() throws {
        let text =
            "\u{feff}# Torpor\r\n\n  device\t=  PARTUUID=12-34  \r\n\t# codec = xz\ncodec=zstd:3\nappend = \"a  b=\"c\"\"\n"
        let settings = try read(text).settings.map { "\($0.line) \($0.key) <\($0.value)>" }
        #expect(settings == ["3 device <PARTUUID=12-34>", "5 codec <zstd:3>", "6 append <a  b=\"c\">"])
        #expect(try read(text).value("codec") == "zstd:3" && read(text).value("kernel") == nil)
        #expect(try read("").settings.isEmpty && read("\n\n# x").settings.isEmpty)
        #expect(try read("append =").settings.map { $0.value } == [""])
        #expect(try read("append = \"").value("append") == "\"", "one mark is no pair")
    }

    @Test(arguments: [
        ("device\n", "line 1: device is no setting; write it as KEY = VALUE"),
        ("\n = 4", "line 2: there is no key before the =; write it as KEY = VALUE"),
        ("codec = lz4\n\ncodec = xz", "line 3: codec is set already in line 1; remove one of the two lines"),
        ("append = a\u{7}b", "line 1: the value of append has a control character; remove it"),
        ("[hibernate]\n", "line 1: [hibernate] is no setting; write it as KEY = VALUE"),
        ("\u{1b}[2J", "line 1: \\x1b[2J is no setting; write it as KEY = VALUE"),
    ]) func refusesALineThatIsNoSetting(text: String, message: String) {
        let failure = #expect(throws: Failure.self) { try read(text) }
        #expect(failure?.description == "read /etc/torpor.conf: \(message)")
    }

    @Test func refusesBytesThatAreNoText() {
        let failure = #expect(throws: Failure.self) { try Configuration([0x64, 0xff, 0x0a], path: "/etc/torpor.conf") }
        #expect(
            failure?.description == "read /etc/torpor.conf: it is not text in UTF-8; write it again: man torpor.conf")
    }
}
