// SPDX-License-Identifier: Apache-2.0
import Console
import Fixtures
import Testing

@testable import Hibernation

@Suite struct RefusalMenuTests {
    private func menu(hasRoot: Bool = true, hasShell: Bool = true) -> RefusalMenu {
        RefusalMenu(reason: "the disk is missing", refusals: 2, hasRoot: hasRoot, hasShell: hasShell)
    }

    /// The answers and confirmations that keys lead to, in their order.
    private func replies(_ menu: RefusalMenu, to keys: String) -> [RefusalMenu.Reply] {
        var menu = menu
        return keys.utf8.map { menu.take($0) }.filter { $0 != .none }
    }

    @Test(
        arguments: [
            ("r", [.answer(.again)]), ("R\n", [.answer(.again)]), ("p", [.answer(.powerOff)]),
            ("s", [.answer(.shell)]), ("\r\n", []), ("x", [.showAgain]),
            // One key does not end a session.
            ("b", [.confirm]), ("by", [.confirm, .answer(.bootRoot)]), ("B\nY\n", [.confirm, .answer(.bootRoot)]),
            ("y", [.showAgain]), ("bb", [.confirm, .showAgain]), ("bny", [.confirm, .showAgain, .showAgain]),
            ("br", [.confirm, .showAgain]),
            // Down, F1, F3 and F4 of a terminal, F1 of the Linux console, Delete: their letters are no answers.
            ("\u{1b}[B", []), ("\u{1b}OP", []), ("\u{1b}OR", []), ("\u{1b}OS", []), ("\u{1b}[[P", []),
            ("\u{1b}[3~", []),
            ("\u{1b}[Br", [.answer(.again)]), ("\u{1b}OPp", [.answer(.powerOff)]),
        ] as [(String, [RefusalMenu.Reply])])
    func takesKeys(keys: String, expected: [RefusalMenu.Reply]) {
        #expect(replies(menu(), to: keys) == expected)
    }

    @Test func offersOnlyPossibleChoices() {
        let all = menu().lines.joined(separator: "\n")
        for text in ["the disk is missing", "refusals in a row: 2", "press r ", "press b ", "press p ", "press s "] {
            #expect(all.contains(text))
        }
        let least = menu(hasRoot: false, hasShell: false).lines.joined(separator: "\n")
        #expect(!least.contains("press b ") && !least.contains("press s "))
        #expect(replies(menu(hasRoot: false), to: "by") == [.showAgain, .showAgain])
        #expect(replies(menu(hasShell: false), to: "s") == [.showAgain])
        let unknown = RefusalMenu(reason: "x", refusals: nil, hasRoot: false, hasShell: false)
        #expect(!unknown.lines.joined().contains("in a row"))
    }

    /// After a key that stopped the resume, nothing is wrong.
    @Test func offersToGoOnAfterAStop() {
        let menu = RefusalMenu(
            reason: "a person pressed Esc", refusals: nil, hasRoot: true, hasShell: false, isStopped: true)
        let text = menu.lines.joined(separator: "\n")
        for part in ["torpor: a person pressed Esc\n", "the session is kept", "press r to resume it now"] {
            #expect(text.contains(part))
        }
        #expect(!text.contains("cannot resume") && !text.contains("restart"))
        #expect(replies(menu, to: "r") == [.answer(.again)])
        #expect(RefusalMenu.countdown(9, .resume) == "torpor: without an answer within 9 s, the resume begins again")
    }

    @Test func asksOnEveryConsoleAndTakesTheFirstAnswer() throws {
        let first = try Pseudoterminal(), second = try Pseudoterminal()
        let consoles = ConsoleInput([first.path, second.path])
        second.type("\nby")
        var menu = menu()
        let found = menu.ask(consoles, seconds: 60, otherwise: .powerOff)
        #expect(found?.answer == .bootRoot && found?.path == second.path)
        for terminal in [first, second] {
            let text = terminal.output(until: RefusalMenu.confirmation)
            #expect(text.contains("cannot resume now: the disk is missing"))
            #expect(text.contains("without an answer within 60 s, the machine powers off and keeps the session"))
            #expect(text.contains(RefusalMenu.confirmation))
        }
        withExtendedLifetime(consoles) {}
    }

    @Test func givesUpAskingInTime() throws {
        let terminal = try Pseudoterminal()
        let consoles = ConsoleInput([terminal.path])
        // Noise, and a confirmation that nobody gives.
        terminal.type("qqqqb")
        var beats = 0
        var menu = menu()
        let found = menu.ask(consoles, seconds: 1, otherwise: .bootRoot) { beats += 1 }
        #expect(found == nil)
        #expect(beats >= 3, "nobody would see a sign of life")
    }

    /// A machine without a console still comes to its end.
    @Test func endsWithoutAConsole() {
        var menu = menu()
        let found = menu.ask(ConsoleInput([]), seconds: 1, otherwise: .powerOff)
        #expect(found == nil)
    }
}
