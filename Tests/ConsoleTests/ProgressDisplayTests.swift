// SPDX-License-Identifier: Apache-2.0
import Fixtures
import Foundation
import Testing

@testable import Console

@Suite struct ProgressDisplayTests {
    /// Shows a save of 100 s that goes on evenly, four times a second; returns what a console received.
    private func received(isScreen: Bool, seconds: UInt64 = 100, level: Int = 4) throws -> (text: String, end: String) {
        let terminal = try Pseudoterminal()
        let log = KernelLog(
            log: open("/dev/null", O_WRONLY),
            consoles: [try #require(ConsoleOutput(terminal.path, isScreen: isScreen))],
            consoleLevel: level)
        let display = ProgressDisplay(log, verb: "saving", stopping: "give up")
        var text = ""
        for quarter in 0..<seconds * 4 {
            display.show(
                PageWork(dataPages: quarter * 1000, totalPages: seconds * 4 * 1000), isStoppable: true,
                at: 5000 + quarter * 250)
            if quarter % 16 == 15 { text += terminal.output() }
        }
        text += terminal.output()
        display.end()
        return (text, terminal.output())
    }

    @Test func aLineGetsSomeLines() throws {
        let (text, end) = try received(isScreen: false)
        let lines = text.split(separator: "\r\n").map(String.init)
        #expect(lines.count == 10)
        #expect(lines.first == "torpor: saving: 1 % of 1.5 GiB, 15.6 MiB/s, 99 s left; Ctrl-C: give up")
        #expect(lines[1] == "torpor: saving: 11 % of 1.5 GiB, 15.6 MiB/s, 89 s left")
        #expect(end == "", "there is nothing to remove")
        // The kernel prints its own record there.
        #expect(try received(isScreen: false, seconds: 20, level: 8).text == "")
    }

    @Test func aScreenGetsABarInPlace() throws {
        let (text, end) = try received(isScreen: true, seconds: 20)
        #expect(!text.contains("\n"))
        #expect(!text.contains("torpor: saving"))
        #expect(text.components(separatedBy: "\u{1b}[K\u{1b}8").count - 1 == 20 * 4 - 4, "no bar in the first second")
        #expect(text.contains("Esc: give up"))
        #expect(end.hasSuffix("\u{1b}[K\u{1b}[r\u{1b}8"))
        // The whole screen scrolls again even if nobody ends the display.
        let terminal = try Pseudoterminal()
        let log = KernelLog(
            log: -1, consoles: [try #require(ConsoleOutput(terminal.path, isScreen: true))], consoleLevel: 4)
        do {
            let display = ProgressDisplay(log, verb: "saving", stopping: "give up")
            for time in [0, 1000] as [UInt64] {
                display.show(PageWork(dataPages: 5, totalPages: 10), isStoppable: false, at: time)
            }
            #expect(terminal.output().contains("  finishing"))
        }
        #expect(terminal.output().contains("\u{1b}[r"))
    }

    @Test func nothingIsShownBeforeTheWork() throws {
        let terminal = try Pseudoterminal()
        let log = KernelLog(
            log: -1, consoles: [try #require(ConsoleOutput(terminal.path, isScreen: true))], consoleLevel: 4)
        let display = ProgressDisplay(log, verb: "saving", stopping: "give up")
        for time in 0..<40 as Range<UInt64> { display.show(PageWork(), isStoppable: true, at: time * 250) }
        display.end()
        #expect(terminal.output() == "")
    }

    /// The times at which lines are due, in seconds, for work of 100 s, 20 s and 1000 s, and for work that stands still.
    @Test(
        arguments: [
            (10, [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]), (50, [0, 10, 20, 50, 80]), (1, [0, 30, 60, 90]),
            (0, [0, 30, 60, 90]),
        ] as [(UInt64, [UInt64])])
    func printsAtSensibleMoments(percentInTenSeconds: UInt64, expected: [UInt64]) {
        var cadence = LineCadence()
        let times = (0...100 as ClosedRange<UInt64>).filter {
            cadence.isDue(percent: min(100, $0 * percentInTenSeconds / 10), at: 3000 + $0 * 1000)
        }
        #expect(times == expected)
    }
}
