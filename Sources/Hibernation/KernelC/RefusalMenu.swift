// SPDX-License-Identifier: Apache-2.0
import Console
import Linux

/// The question on the consoles: what it says, and what keys mean.
struct RefusalMenu {
    enum Answer: UInt64 { case restart = 1, bootRoot, powerOff, shell }

    enum Reply: Equatable {
        case none
        /// The lines are to be shown again: somebody is there, and did not find the right key.
        case showAgain
        /// One key must not be enough to give a session up: a serial line may have noise.
        case confirm
        case answer(Answer)
    }

    /// Why the session was not resumed.
    let reason: String
    /// See `RefusalPolicy`.
    let refusals: UInt32?
    let hasRoot: Bool
    let hasShell: Bool
    private var isConfirming = false
    private var escape = Escape.none

    /// Where in the bytes of a key such as F1 (ESC O P) or Down (ESC [ B) the last one was: its letters are no answers.
    private enum Escape { case none, begun, sequence, last }

    init(reason: String, refusals: UInt32?, hasRoot: Bool, hasShell: Bool) {
        self.reason = reason
        self.refusals = refusals
        self.hasRoot = hasRoot
        self.hasShell = hasShell
    }

    var lines: [String] {
        var lines = ["torpor: cannot resume now: \(reason)"]
        lines.append("torpor: the session is kept" + (refusals.map { "; refusals in a row: \($0)" } ?? ""))
        lines.append("torpor: press r to restart and try again")
        if hasRoot { lines.append("torpor: press b to boot the root file system and give the session up") }
        lines.append("torpor: press p to power off and keep the session")
        if hasShell { lines.append("torpor: press s for a shell") }
        return lines
    }

    static let confirmation = "torpor: this ends the session for good; press y to give it up, any other key to keep it"

    /// - Parameter seconds: how long an answer may still take.
    static func countdown(_ seconds: Int, _ otherwise: RefusalPolicy.Action) -> String {
        let action =
            switch otherwise {
            case .restart: "the machine restarts and tries again"
            case .powerOff: "the machine powers off and keeps the session"
            case .bootRoot: "the root file system boots and the session is given up"
            }
        return "torpor: without an answer within \(seconds) s, \(action)"
    }

    /// What a byte from a console means.
    mutating func take(_ byte: UInt8) -> Reply {
        // Somebody may end each answer with Enter.
        if byte == UInt8(ascii: "\r") || byte == UInt8(ascii: "\n") { return .none }
        if isOfLongKey(byte) { return .none }
        let letter = byte | 0x20
        if isConfirming {
            isConfirming = false
            return letter == UInt8(ascii: "y") ? .answer(.bootRoot) : .showAgain
        }
        switch letter {
        case UInt8(ascii: "r"): return .answer(.restart)
        case UInt8(ascii: "p"): return .answer(.powerOff)
        case UInt8(ascii: "s") where hasShell: return .answer(.shell)
        case UInt8(ascii: "b") where hasRoot:
            isConfirming = true
            return .confirm
        default: return .showAgain
        }
    }

    /// Whether a byte belongs to a key that sends several (ECMA-48: ESC [ parameters, then a letter; ESC O and a letter).
    private mutating func isOfLongKey(_ byte: UInt8) -> Bool {
        switch escape {
        case .none:
            if byte == 0x1b { escape = .begun }
            return byte == 0x1b
        case .begun:
            escape = byte == UInt8(ascii: "[") ? .sequence : byte == UInt8(ascii: "O") ? .last : .none
        case .sequence:
            // The Linux console's F1 is ESC [ [ A.
            if byte == UInt8(ascii: "[") { escape = .last } else if (0x40...0x7e).contains(byte) { escape = .none }
        case .last: escape = .none
        }
        return true
    }
}

extension RefusalMenu {
    /// Seconds between two lines that tell how much time is left.
    private static let countdownSeconds = 30
    /// The lines are shown again as often as this for keys that mean nothing, whatever a noisy line sends.
    private static let maximumRepeats = 20

    /// Asks until somebody answers or the time is over.
    /// - Parameters:
    ///   - seconds: as long as this.
    ///   - otherwise: what happens then; for the text.
    ///   - whileWaiting: is called several times a second.
    /// - Returns: the answer, and the path of the console it came from; nil if there was none.
    mutating func ask(
        _ consoles: ConsoleInput, seconds: Int, otherwise: RefusalPolicy.Action, whileWaiting: () -> Void = {}
    ) -> (answer: Answer, path: String)? {
        let end = monotonicMilliseconds() + UInt64(seconds) * 1000
        var repeats = 0
        func show(_ left: Int) {
            for line in lines + [RefusalMenu.countdown(left, otherwise)] { consoles.write(line: line) }
        }
        var shown = seconds
        show(seconds)
        while true {
            whileWaiting()
            let now = monotonicMilliseconds()
            guard now < end else { return nil }
            let left = Int((end - now + 999) / 1000)
            if left <= shown - RefusalMenu.countdownSeconds {
                consoles.write(line: RefusalMenu.countdown(left, otherwise))
                shown = left
            }
            for key in consoles.keys(within: min(250, Int(end - now))) {
                switch take(key.byte) {
                case .none: continue
                case .answer(let answer): return (answer, key.path)
                case .confirm: consoles.write(line: RefusalMenu.confirmation)
                case .showAgain:
                    repeats += 1
                    if repeats <= RefusalMenu.maximumRepeats { show(left) }
                }
            }
        }
    }
}
