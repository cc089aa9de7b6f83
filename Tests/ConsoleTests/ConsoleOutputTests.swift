// SPDX-License-Identifier: Apache-2.0
import Fixtures
import Foundation
import Linux
import Testing

@testable import Console

@Suite struct ConsoleOutputTests {
    @Test(
        arguments: [
            ("/dev/tty0", true), ("/dev/tty1", true), ("/dev/tty63", true), ("/dev/ttyS0", false), ("/dev/tty", false),
            ("/dev/ttyAMA0", false), ("/dev/hvc0", false), ("/dev/tty1x", false), ("/dev/pts/0", false), ("", false),
        ])
    func knowsScreensByTheirName(path: String, expected: Bool) { #expect(isVirtualTerminal(path) == expected) }

    /// netconsole has no device.
    @Test func opensWhatHasADevice() throws {
        let terminal = try Pseudoterminal()
        let name = terminal.path.dropFirst("/dev/".count)
        let consoles = ConsoleOutput.all(
            inTable: "netcon0 -W- (E    )\n\(name) -W- (EC  )  136:0\nttyS9999 -W- (E  )\n")
        #expect(consoles.map(\.path) == [terminal.path])
        #expect(consoles.first?.isScreen == false)
        #expect(consoles.first?.write(Array("line\n".utf8), within: 0) == true)
        #expect(terminal.output(until: "\n") == "line\r\n")
    }

    @Test func takesAUsualSizeIfTheConsoleTellsNone() throws {
        let terminal = try Pseudoterminal()
        let console = try #require(ConsoleOutput(terminal.path))
        #expect(console.size == (80, 25))
        terminal.resize(columns: 132, rows: 43)
        #expect(console.size == (132, 43))
        terminal.resize(columns: 0, rows: 30)
        #expect(console.size == (80, 30))
    }

    /// The first line waits, because a slow line is no dead one. Those after it do not.
    @Test func aStoppedConsoleWaitsOnce() throws {
        let terminal = try Pseudoterminal()
        let console = try #require(ConsoleOutput(terminal.path))
        let slave = open(terminal.path, O_RDWR | O_NOCTTY)
        defer { close(slave) }
        try #require(tcflow(slave, TCOOFF) == 0)
        var start = monotonicMilliseconds()
        #expect(!console.write([120], within: 400))
        #expect(monotonicMilliseconds() - start >= 400)
        start = monotonicMilliseconds()
        for _ in 0..<100 { #expect(!console.write([121], within: 400)) }
        #expect(monotonicMilliseconds() - start < 400)
        try #require(tcflow(slave, TCOON) == 0)
        #expect(console.write([122], within: 400))
        #expect(terminal.output() == "z", "what was lost does not come later")
    }
}
