// SPDX-License-Identifier: Apache-2.0
import Console
import Linux

/// The question that kernel C asks on the consoles: its lines, and the meaning of each key.
struct RefusalMenu {
    enum Answer: UInt64 { case restart = 1, bootRoot, powerOff, shell }

    enum Reply: Equatable {
        case none
        /// Show the lines again: somebody is there, but pressed no valid key.
        case showAgain
        /// Ask for confirmation: one key must not drop a session, because a serial line may have noise.
        case confirm
        case answer(Answer)
    }

    /// Why the session was not resumed.
    let reason: String
    /// Refusals in a row; see `RefusalPolicy.decision(refusals:)`.
    let refusals: UInt32?
    let hasRoot: Bool
    let hasShell: Bool
    private var isConfirming = false
    private var escape = Escape.none

    /// The position in the escape sequence of a key such as F1 (ESC O P) or Down (ESC [ B), whose letters are not answers.
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
        if hasRoot { lines.append("torpor: press b to drop the session and boot the root file system") }
        lines.append("torpor: press p to power off and keep the session")
        if hasShell { lines.append("torpor: press s for a shell") }
        return lines
    }

    static let confirmation = "torpor: the session will be lost; press y to drop it, any other key to keep it"

    /// - Parameters:
    ///   - seconds: time left for an answer.
    ///   - otherwise: the action without an answer.
    static func countdown(_ seconds: Int, _ otherwise: RefusalPolicy.Action) -> String {
        let action =
            switch otherwise {
            case .restart: "the machine restarts and tries again"
            case .powerOff: "the machine powers off and keeps the session"
            case .bootRoot: "the session is dropped and the root file system boots"
            case .goOn: "the machine starts without the session"
            }
        return "torpor: without an answer within \(seconds) s, \(action)"
    }

    /// Interprets a byte from a console.
    mutating func take(_ byte: UInt8) -> Reply {
        // Some people press Enter after each answer.
        if byte == UInt8(ascii: "\r") || byte == UInt8(ascii: "\n") { return .none }
        if isOfEscapeSequence(byte) { return .none }
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

    /// Whether a byte belongs to an escape sequence (ECMA-48: ESC [ parameters, then a letter; ESC O and a letter).
    private mutating func isOfEscapeSequence(_ byte: UInt8) -> Bool {
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
    /// Seconds between two lines with the time left.
    private static let countdownSeconds = 30
    /// How often the lines are shown again after invalid keys; it bounds the output if a line has noise.
    private static let maximumRepeats = 20

    /// Asks until somebody answers or the time is over.
    /// - Parameters:
    ///   - seconds: time for the answer.
    ///   - otherwise: the action without an answer, for the text.
    ///   - whileWaiting: called several times a second.
    /// - Returns: the answer, and the path of the console that it came from; nil if nobody answered.
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
