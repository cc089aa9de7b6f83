// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import TorporCommand

@Suite struct TerminalTests {
    private let output = TextBuffer(), errors = TextBuffer()
    private var terminal: Terminal { Terminal(output: output, errors: errors) }

    @Test func showsControlCharactersAsEscapes() throws {
        terminal.show("a\u{1b}[2J\nb")
        #expect(output.text == "a\\x1b[2J\\x0ab\n")
        terminal.warn("c\nd")
        // Text of several lines keeps its lines.
        terminal.write(error: "e\u{7}\n\nf")
        #expect(errors.text == "torpor: warning: c\\x0ad\ne\\x07\n\nf\n")
    }

    @Test func writesTextUnchanged() {
        terminal.write("a\n\n  b")
        #expect(output.text == "a\n\n  b\n" && errors.text == "")
    }

    /// Everything that a disk says steers nobody's terminal, as text and as JSON.
    @Test func printsNothingOfADiskThatSteersATerminal() throws {
        let fixture = try CommandFixture()
        try fixture.devices.addPartition("sdb3", label: "a\u{1b}[2Jb\u{202e}c")
        try fixture.devices.writeImage("sdb3", .failed, host: "h\u{9b}31m\nx: ready", reason: "r\u{1b}[1m\r\u{7f}")
        for arguments in [["status", "/dev/sdb3"], ["status", "--json", "/dev/sdb3"]] {
            let result = fixture.run(arguments)
            #expect(result.status == 0 && result.errors == "")
            let hidden = result.output.unicodeScalars.filter {
                $0.value < 0x20 && $0 != "\n" || (0x7f..<0xa0).contains($0.value) || $0.value == 0x202e
            }
            #expect(hidden.isEmpty, "\(arguments)")
        }
        let text = fixture.run("status", "/dev/sdb3").output
        #expect(text.contains("  label       a\\x1b[2Jb\\u202ec\n"))
        #expect(text.contains("  host        h\\u009b31m\\x0ax: ready\n"))
        #expect(text.contains("  reason      r\\x1b[1m\\x0d\\x7f\n"))
        let partitions = try #require(try fixture.run("status", "--json").json["partitions"] as? [[String: Any]])
        #expect(partitions[0]["label"] as? String == "a\u{1b}[2Jb\u{202e}c", "JSON has the text as it is")
        #expect(partitions[0]["host"] as? String == "h\u{9b}31m\nx: ready")
        let failure = fixture.run("verify", "/nowhere/\u{1b}[2J\n\u{9b}x")
        #expect(failure.status == 1)
        #expect(failure.errors == "torpor: find /nowhere/\\x1b[2J\\x0a\\u009bx: there is no such device\n")
    }
}
