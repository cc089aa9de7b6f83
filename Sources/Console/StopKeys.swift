// SPDX-License-Identifier: Apache-2.0
import Linux

/// Waits on all consoles for the keys with which a person stops the work: Esc and Ctrl-C.
///
/// An Esc counts if nothing follows it for a while, because other keys send sequences that begin with the same byte.
public final class StopKeys {
    /// A key that a person pressed.
    public struct Press: Equatable, Sendable, CustomStringConvertible {
        public enum Key: String, Sendable {
            case escape = "Esc"
            case interrupt = "Ctrl-C"
        }
        public let key: Key
        /// The path of its console.
        public let path: String

        public var description: String { "\(key.rawValue) on \(path)" }
    }

    /// The bytes of one console.
    private struct Line {
        let path: String
        var sequence = EscapeSequence()
        /// When its last Esc came.
        var escapeTime: UInt64 = 0

        mutating func take(_ byte: UInt8, at now: UInt64) -> Press.Key? {
            // The byte is in no sequence, so a sequence that was cut off does not hide it.
            if byte == 0x03 {
                sequence = EscapeSequence()
                return .interrupt
            }
            let hadEscape = sequence.isBegun
            guard sequence.take(byte), sequence.isBegun else { return nil }
            escapeTime = now
            // No sequence begins with two of them.
            return hadEscape ? .escape : nil
        }

        mutating func hasLoneEscape(at now: UInt64) -> Bool {
            guard sequence.isBegun, now >= escapeTime + StopKeys.escapeMilliseconds else { return false }
            sequence = EscapeSequence()
            return true
        }
    }

    /// Milliseconds after which an Esc is a key of its own. A slow line needs less than 2 ms for a byte, but a console over a
    /// network sends what has gathered.
    static let escapeMilliseconds: UInt64 = 500

    private let input: ConsoleInput
    private var lines: [Line]

    /// Opens the consoles and drops earlier input; their settings come back when this is released.
    public init(_ paths: [String]) {
        input = ConsoleInput(paths)
        lines = paths.map { Line(path: $0) }
    }

    /// The first such key since the last call; nil if there is none. Does not wait.
    /// - Parameter now: milliseconds of a monotonic clock.
    public func press(at now: UInt64) -> Press? {
        var found: Press?
        for key in input.keys(within: 0) {
            guard let number = lines.firstIndex(where: { $0.path.utf8.elementsEqual(key.path.utf8) }) else { continue }
            if let pressed = lines[number].take(key.byte, at: now) {
                found = found ?? Press(key: pressed, path: key.path)
            }
        }
        for number in lines.indices where lines[number].hasLoneEscape(at: now) {
            found = found ?? Press(key: .escape, path: lines[number].path)
        }
        return found
    }
}
