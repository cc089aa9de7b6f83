// SPDX-License-Identifier: Apache-2.0
import Fixtures
import Foundation
import Linux
import Testing

@testable import Console

@Suite struct StopKeysTests {
    /// Looks at the keys as PID 1 does, four times a second for two seconds of an invented clock.
    private func presses(_ keys: StopKeys) -> [StopKeys.Press.Key] {
        // The terminal passes what was typed on in its own time.
        usleep(50_000)
        return (0..<8).compactMap { keys.press(at: 1000 + $0 * 250)?.key }
    }

    @Test(
        arguments: [
            ("\u{1b}", [.escape]), ("\u{3}", [.interrupt]), ("\u{1b}\u{1b}", [.escape, .escape]), ("abc\r\n ", []),
            // Up, F1 of two kinds, Delete, Ctrl-Right, Alt-Q: other keys that send an Esc.
            ("\u{1b}[A", []), ("\u{1b}OP", []), ("\u{1b}[[A", []), ("\u{1b}[3~", []), ("\u{1b}[1;5C", []),
            ("\u{1b}q", []),
            ("\u{1b}[A\u{1b}[B\u{1b}[C", []), ("\u{1b}[A\u{1b}", [.escape]), ("\u{1b}[\u{3}", [.interrupt]),
            ("x\u{3}y\u{3}", [.interrupt]),
        ] as [(String, [StopKeys.Press.Key])])
    func tellsEscFromOtherKeys(text: String, expected: [StopKeys.Press.Key]) throws {
        let terminal = try Pseudoterminal()
        let keys = StopKeys([terminal.path])
        terminal.type(text)
        #expect(presses(keys) == expected)
    }

    @Test func namesTheConsole() throws {
        let first = try Pseudoterminal(), second = try Pseudoterminal()
        let keys = StopKeys([first.path, second.path])
        #expect(keys.press(at: 0) == nil)
        // The beginning of a sequence on one console and a letter on another are no sequence.
        first.type("\u{1b}")
        second.type("[")
        usleep(50_000)
        #expect(keys.press(at: 1000) == nil)
        #expect(keys.press(at: 1499) == nil)
        let press = keys.press(at: 1500)
        #expect(press == StopKeys.Press(key: .escape, path: first.path))
        #expect(press?.description == "Esc on \(first.path)")
        #expect(keys.press(at: 9000) == nil, "it counts once")
    }

    /// A sequence that arrives in pieces, as over a slow line.
    @Test func waitsForTheRestOfASequence() throws {
        let terminal = try Pseudoterminal()
        let keys = StopKeys([terminal.path])
        for (number, piece) in ["\u{1b}", "[", "A"].enumerated() {
            terminal.type(piece)
            usleep(50_000)
            #expect(keys.press(at: 1000 + UInt64(number) * 400) == nil)
        }
        #expect(presses(keys) == [])
    }

    @Test func dropsEarlierInputAndRestoresTheSettings() throws {
        let terminal = try Pseudoterminal()
        let slave = open(terminal.path, O_RDWR | O_NOCTTY)
        defer { close(slave) }
        var before = termios(), after = termios()
        try #require(tcgetattr(slave, &before) == 0)
        terminal.type("\u{1b}")
        usleep(50_000)
        do {
            let keys = StopKeys([terminal.path])
            #expect(presses(keys) == [])
        }
        try #require(tcgetattr(slave, &after) == 0)
        #expect(after.c_lflag == before.c_lflag && after.c_iflag == before.c_iflag && after.c_oflag == before.c_oflag)
    }
}
