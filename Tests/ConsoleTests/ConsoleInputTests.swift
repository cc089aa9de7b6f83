// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Linux
import Testing

@testable import Console

@Suite struct ConsoleInputTests {
    /// Both ends of a pseudoterminal; the first is the test's.
    private func terminal() throws -> (descriptor: CInt, path: String) {
        let descriptor = open("/dev/ptmx", O_RDWR | O_NOCTTY)
        var number: CInt = 0, locked: CInt = 0
        // TIOCGPTN and TIOCSPTLCK, macros with arguments (ioctl_tty(2)).
        try #require(
            descriptor >= 0 && ioctl(descriptor, 0x8004_5430, &number) == 0
                && ioctl(descriptor, 0x4004_5431, &locked) == 0)
        return (descriptor, "/dev/pts/\(number)")
    }

    private func type(_ text: String, _ descriptor: CInt) { _ = write(descriptor, Array(text.utf8), text.utf8.count) }

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
        let (descriptor, path) = try terminal()
        defer { close(descriptor) }
        #expect(ConsoleInput(["/dev/null", path, "/nowhere/tty"]).paths == [path])
    }

    @Test func readsSingleKeysOfEveryConsole() throws {
        let (first, firstPath) = try terminal(), (second, secondPath) = try terminal()
        defer { for descriptor in [first, second] { close(descriptor) } }
        // Typed before anybody asked: dropped.
        type("old", second)
        let consoles = ConsoleInput([firstPath, secondPath])
        #expect(consoles.keys(within: 50) == [])
        type("a", second)
        #expect(keys(consoles, 1) == [.init(byte: 97, path: secondPath)], "no Enter is needed")
        type("\u{3}", first)
        #expect(keys(consoles, 1) == [.init(byte: 3, path: firstPath)], "no signal takes it away")
    }

    @Test func leavesOutAConsoleThatHangsUp() throws {
        let (first, firstPath) = try terminal(), (second, secondPath) = try terminal()
        defer { close(second) }
        let consoles = ConsoleInput([firstPath, secondPath])
        close(first)
        for _ in 0..<50 where consoles.paths.count > 1 { _ = consoles.keys(within: 100) }
        #expect(consoles.paths == [secondPath])
        type("b", second)
        #expect(keys(consoles, 1).count == 1)
    }

    /// A reason may quote what somebody wrote on a disk.
    @Test func escapesControlCharacters() throws {
        let (master, path) = try terminal()
        defer { close(master) }
        let consoles = ConsoleInput([path])
        consoles.write(line: "a\u{1b}[2J\nb\u{9b}c")
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = read(master, &bytes, bytes.count)
        #expect(String(decoding: bytes.prefix(max(0, count)), as: UTF8.self).contains("a\\x1b[2J\\x0ab\\u009bc"))
        withExtendedLifetime(consoles) {}
    }

    /// Nobody reads at the other end: more lines than a terminal keeps are lost, and nothing waits for ever.
    @Test(.timeLimit(.minutes(1))) func aStoppedConsoleDoesNotBlock() throws {
        let (first, firstPath) = try terminal(), (second, secondPath) = try terminal()
        defer { for descriptor in [first, second] { close(descriptor) } }
        let consoles = ConsoleInput([firstPath, secondPath])
        let line = String(repeating: "x", count: 50_000)
        consoles.write(line: line)
        type("k", second)
        #expect(keys(consoles, 1).map(\.byte) == [107])
    }

    /// Ctrl-S from before does not keep the question from being seen, and the settings come back afterwards.
    @Test func startsAStoppedConsoleAndRestoresItsSettings() throws {
        let (master, path) = try terminal()
        let slave = open(path, O_RDWR | O_NOCTTY)
        defer { for descriptor in [master, slave] { close(descriptor) } }
        var before = termios()
        try #require(tcgetattr(slave, &before) == 0)
        type("\u{13}", master)
        var consoles: ConsoleInput? = ConsoleInput([path])
        consoles?.write(line: "question")
        var request = pollfd(fd: master, events: Int16(POLLIN), revents: 0)
        #expect(poll(&request, 1, 5000) == 1, "nothing comes out")
        var during = termios()
        try #require(tcgetattr(slave, &during) == 0)
        #expect(during.c_lflag & tcflag_t(ECHO | ICANON) == 0)
        consoles = nil
        var after = termios()
        try #require(tcgetattr(slave, &after) == 0)
        #expect(after.c_lflag == before.c_lflag && after.c_iflag == before.c_iflag && after.c_oflag == before.c_oflag)
    }
}
