// SPDX-License-Identifier: Apache-2.0
import Console
import Linux

/// The question that kernel C asks on the consoles if it does not resume: its lines, and the meaning of each key.
struct RefusalMenu {
    enum Answer: UInt64 {
        /// Try again: after a restart, or at once if a person stopped the resume.
        case again = 1
        case bootRoot, powerOff, shell
    }

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
    /// Whether a person stopped the resume. Then nothing keeps it from going on at once.
    var isStopped = false
    private var isConfirming = false
    private var escape = EscapeSequence()

    init(reason: String, refusals: UInt32?, hasRoot: Bool, hasShell: Bool, isStopped: Bool = false) {
        self.reason = reason
        self.refusals = refusals
        self.hasRoot = hasRoot
        self.hasShell = hasShell
        self.isStopped = isStopped
    }

    var lines: [String] {
        var lines = [isStopped ? "torpor: \(reason)" : "torpor: cannot resume now: \(reason)"]
        lines.append("torpor: the session is kept" + (refusals.map { "; refusals in a row: \($0)" } ?? ""))
        lines.append("torpor: press r to " + (isStopped ? "resume it now" : "restart and try again"))
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
            case .resume: "the resume begins again"
            }
        return "torpor: without an answer within \(seconds) s, \(action)"
    }

    /// Interprets a byte from a console.
    mutating func take(_ byte: UInt8) -> Reply {
        // Some people press Enter after each answer.
        if byte == UInt8(ascii: "\r") || byte == UInt8(ascii: "\n") { return .none }
        if escape.take(byte) { return .none }
        let letter = byte | 0x20
        if isConfirming {
            isConfirming = false
            return letter == UInt8(ascii: "y") ? .answer(.bootRoot) : .showAgain
        }
        switch letter {
        case UInt8(ascii: "r"): return .answer(.again)
        case UInt8(ascii: "p"): return .answer(.powerOff)
        case UInt8(ascii: "s") where hasShell: return .answer(.shell)
        case UInt8(ascii: "b") where hasRoot:
            isConfirming = true
            return .confirm
        default: return .showAgain
        }
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
