// SPDX-License-Identifier: Apache-2.0
import Fixtures
import Foundation
import Testing

@testable import Console

@Suite struct ConsoleInputTests {
    private func keys(_ consoles: ConsoleInput, _ count: Int) -> [ConsoleInput.Key] {
        var keys: [ConsoleInput.Key] = []
        for _ in 0..<50 where keys.count < count { keys += consoles.keys(within: 100) }
        return keys
    }

    @Test(
        arguments: [
            (
                "ttyS0                -W- (EC a)    4:64\ntty0                 -WU (E  p)    4:1\n",
                ["/dev/ttyS0", "/dev/tty0"]
            ),
            ("hvc0                 -W- (EC  )  229:0", ["/dev/hvc0"]), ("", ["/dev/console"]), ("\n", ["/dev/console"]),
        ] as [(String, [String])])
    func readsTheTable(text: String, expected: [String]) { #expect(consolePaths(inTable: text) == expected) }

    @Test func skipsPathsThatAreNoTerminals() throws {
        let terminal = try Pseudoterminal()
        #expect(ConsoleInput(["/dev/null", terminal.path, "/nowhere/tty"]).paths == [terminal.path])
    }

    @Test func readsSingleKeysOfEveryConsole() throws {
        let first = try Pseudoterminal(), second = try Pseudoterminal()
        // Typed before anybody asked: dropped.
        second.type("old")
        let consoles = ConsoleInput([first.path, second.path])
        #expect(consoles.keys(within: 50) == [])
        second.type("a")
        #expect(keys(consoles, 1) == [.init(byte: 97, path: second.path)], "no Enter is needed")
        first.type("\u{3}")
        #expect(keys(consoles, 1) == [.init(byte: 3, path: first.path)], "no signal takes it away")
    }

    @Test func leavesOutAConsoleThatHangsUp() throws {
        let first = try Pseudoterminal(), second = try Pseudoterminal()
        let consoles = ConsoleInput([first.path, second.path])
        first.hangUp()
        for _ in 0..<50 where consoles.paths.count > 1 { _ = consoles.keys(within: 100) }
        #expect(consoles.paths == [second.path])
        second.type("b")
        #expect(keys(consoles, 1).count == 1)
    }

    /// A reason may quote what somebody wrote on a disk.
    @Test func escapesControlCharacters() throws {
        let master = try Pseudoterminal()
        let consoles = ConsoleInput([master.path])
        consoles.write(line: "a\u{1b}[2J\nb\u{9b}c")
        #expect(master.output(until: "c\r\n") == "a\\x1b[2J\\x0ab\\u009bc\r\n")
        withExtendedLifetime(consoles) {}
    }

    /// Nobody reads at the other end: more lines than a terminal keeps are lost, and nothing waits for ever.
    @Test(.timeLimit(.minutes(1))) func aStoppedConsoleDoesNotBlock() throws {
        let first = try Pseudoterminal(), second = try Pseudoterminal()
        let consoles = ConsoleInput([first.path, second.path])
        let line = String(repeating: "x", count: 50_000)
        consoles.write(line: line)
        second.type("k")
        #expect(keys(consoles, 1).map(\.byte) == [107])
    }

    /// Ctrl-S from before does not keep the question from being seen, and the settings come back afterwards.
    @Test func startsAStoppedConsoleAndRestoresItsSettings() throws {
        let master = try Pseudoterminal()
        let slave = open(master.path, O_RDWR | O_NOCTTY)
        defer { close(slave) }
        var before = termios()
        try #require(tcgetattr(slave, &before) == 0)
        master.type("\u{13}")
        var consoles: ConsoleInput? = ConsoleInput([master.path])
        consoles?.write(line: "question")
        #expect(master.output(until: "question\r\n") == "question\r\n")
        var during = termios()
        try #require(tcgetattr(slave, &during) == 0)
        #expect(during.c_lflag & tcflag_t(ECHO | ICANON) == 0)
        consoles = nil
        var after = termios()
        try #require(tcgetattr(slave, &after) == 0)
        #expect(after.c_lflag == before.c_lflag && after.c_iflag == before.c_iflag && after.c_oflag == before.c_oflag)
    }
}
