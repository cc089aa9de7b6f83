// SPDX-License-Identifier: Apache-2.0
import Fixtures
import Foundation
import Linux
import Testing

@testable import Console

@Suite struct KernelLogTests {
    /// A record has room for 900 bytes of text, and no character is cut in two.
    @Test(
        arguments: [
            (String(repeating: "a", count: 900), 900), (String(repeating: "a", count: 5000), 900),
            (String(repeating: "a", count: 899) + "é", 899), (String(repeating: "a", count: 898) + "é", 900),
            (String(repeating: "a", count: 897) + "🙂", 897), (String(repeating: "🙂", count: 300), 900), ("", 0),
        ])
    func cutsLinesBetweenCharacters(text: String, expected: Int) {
        let cut = KernelLog.cut(text)
        #expect(cut.utf8.count == expected && text.hasPrefix(cut))
    }

    /// Each console shows each line once: the kernel prints the levels below its own on all of them.
    @Test(arguments: [(4, ["notice", "info", "progress"]), (6, ["info", "progress"]), (7, ["progress"]), (8, [])])
    func eachConsoleGetsWhatTheKernelDoesNotPrint(level: Int, expected: [String]) throws {
        let screen = try Pseudoterminal(), line = try Pseudoterminal(), records = Pipe()
        let log = KernelLog(
            log: records.fileHandleForWriting.fileDescriptor,
            consoles: [
                try #require(ConsoleOutput(screen.path, isScreen: true)), try #require(ConsoleOutput(line.path)),
            ], consoleLevel: level)
        log.error("error")
        log.notice("notice")
        log.info("info")
        log.progress("progress")
        #expect(
            String(decoding: records.fileHandleForReading.availableData, as: UTF8.self)
                == "<3>torpor: error\n<5>torpor: notice\n<6>torpor: info\n<7>torpor: progress\n")
        #expect(line.output() == expected.map { "torpor: \($0)\r\n" }.joined())
        #expect(screen.output() == expected.dropLast().map { "torpor: \($0)\r\n" }.joined())
    }

    /// Without /dev/kmsg the consoles get everything.
    @Test func writesToConsolesWithoutALog() throws {
        let line = try Pseudoterminal()
        KernelLog(log: -1, consoles: [try #require(ConsoleOutput(line.path))], consoleLevel: 7).error("a\u{1b}b")
        #expect(line.output() == "torpor: a\\x1bb\r\n")
    }
}
