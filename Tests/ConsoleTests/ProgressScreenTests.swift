// SPDX-License-Identifier: Apache-2.0
import Fixtures
import Foundation
import Testing

@testable import Console

@Suite struct ProgressScreenTests {
    private let bar = ProgressBar(
        verb: "saving",
        estimate: Progress.Estimate(percent: 50, dataBytes: 1 << 30, bytesPerSecond: 100 << 20, millisecondsLeft: 5000),
        hint: "Esc: give up")

    private func draw(row: Int, columns: Int) -> String {
        "\u{1b}7\u{1b}[1;\(row - 1)r\u{1b}[\(row);1H\u{1b}[m\(bar.text(columns: columns))\u{1b}[K\u{1b}8"
    }
    private func clear(row: Int) -> String { "\u{1b}7\u{1b}[\(row);1H\u{1b}[m\u{1b}[K\u{1b}[r\u{1b}8" }
    private let makeSpace = "\u{1b}D\u{1b}[A"

    @Test(arguments: [(40, 25, 40, 25), (80, 25, 80, 25), (132, 43, 132, 43), (0, 0, 80, 25)])
    func drawsInTheLastRow(columns: Int, rows: Int, drawnColumns: Int, row: Int) throws {
        let terminal = try Pseudoterminal()
        terminal.resize(columns: columns, rows: rows)
        var screen = ProgressScreen(try #require(ConsoleOutput(terminal.path, isScreen: true)))
        screen.draw(bar)
        #expect(terminal.output() == makeSpace + draw(row: row, columns: drawnColumns))
        // In place: no line feed, nothing scrolls.
        screen.draw(bar)
        #expect(terminal.output() == draw(row: row, columns: drawnColumns))
        screen.clear()
        #expect(terminal.output() == clear(row: row))
        screen.clear()
        #expect(terminal.output() == "", "it clears only what it has drawn")
    }

    /// A driver for the graphics card takes the screen over, and it has more rows.
    @Test func followsTheSize() throws {
        let terminal = try Pseudoterminal()
        terminal.resize(columns: 80, rows: 25)
        var screen = ProgressScreen(try #require(ConsoleOutput(terminal.path, isScreen: true)))
        screen.draw(bar)
        _ = terminal.output()
        terminal.resize(columns: 100, rows: 37)
        screen.draw(bar)
        #expect(terminal.output() == clear(row: 25) + makeSpace + draw(row: 37, columns: 100))
        // Only the columns change.
        terminal.resize(columns: 60, rows: 37)
        screen.draw(bar)
        #expect(terminal.output() == draw(row: 37, columns: 60))
        // Nothing fits any more.
        terminal.resize(columns: 60, rows: 2)
        screen.draw(bar)
        #expect(terminal.output() == clear(row: 37))
        screen.draw(bar)
        #expect(terminal.output() == "")
    }

    /// Ctrl-S or Scroll Lock.
    @Test(.timeLimit(.minutes(1))) func aStoppedScreenDoesNotBlock() throws {
        let terminal = try Pseudoterminal()
        let slave = open(terminal.path, O_RDWR | O_NOCTTY)
        defer { close(slave) }
        var screen = ProgressScreen(try #require(ConsoleOutput(terminal.path, isScreen: true)))
        try #require(tcflow(slave, TCOOFF) == 0)
        let start = Date()
        for _ in 0..<1000 { screen.draw(bar) }
        #expect(Date().timeIntervalSince(start) < 5)
        try #require(tcflow(slave, TCOON) == 0)
        screen.draw(bar)
        #expect(terminal.output() == makeSpace + draw(row: 25, columns: 80), "it begins as if nothing had been")
    }
}
