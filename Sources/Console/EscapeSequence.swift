// SPDX-License-Identifier: Apache-2.0

/// The position in the escape sequence of a key such as F1 (ESC O P) or Down (ESC [ B): its bytes are no keys of their own
/// (ECMA-48: ESC [ parameters, then a letter; ESC O and a letter).
public struct EscapeSequence: Sendable {
    private enum Position { case none, begun, parameters, last }
    private var position = Position.none

    public init() {}

    /// Whether the last byte was an Esc. If nothing follows, it was the key itself.
    var isBegun: Bool { position == .begun }

    /// Whether a byte belongs to a sequence, or begins one.
    public mutating func take(_ byte: UInt8) -> Bool {
        if byte == 0x1b {
            position = .begun
            return true
        }
        switch position {
        case .none: return false
        case .begun: position = byte == UInt8(ascii: "[") ? .parameters : byte == UInt8(ascii: "O") ? .last : .none
        case .parameters:
            // The Linux console's F1 is ESC [ [ A.
            if byte == UInt8(ascii: "[") { position = .last } else if (0x40...0x7e).contains(byte) { position = .none }
        case .last: position = .none
        }
        return true
    }
}
