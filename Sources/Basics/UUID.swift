// SPDX-License-Identifier: Apache-2.0

/// A universally unique identifier (RFC 9562): 16 bytes, printed as 8-4-4-4-12 hexadecimal digits.
public struct UUID: Equatable, Sendable, CustomStringConvertible {
    public let bytes: [UInt8]

    /// All bits zero: "none".
    public static let zero = UUID(unchecked: [UInt8](repeating: 0, count: 16))

    private init(unchecked bytes: [UInt8]) { self.bytes = bytes }

    /// The identifier from its 16 bytes; nil for any other count.
    public init?(bytes: [UInt8]) {
        guard bytes.count == 16 else { return nil }
        self.bytes = bytes
    }

    /// A version 4 identifier from 16 random bytes; nil for any other count.
    public init?(random bytes: [UInt8]) {
        guard bytes.count == 16 else { return nil }
        var marked = bytes
        marked[6] = marked[6] & 0x0f | 0x40
        marked[8] = marked[8] & 0x3f | 0x80
        self.bytes = marked
    }

    /// Parses the printed form, in upper or lower case; nil for anything else.
    public init?(_ text: String) {
        var digits: [UInt8] = []
        for (i, character) in text.utf8.enumerated() {
            if i == 8 || i == 13 || i == 18 || i == 23 {
                guard character == UInt8(ascii: "-") else { return nil }
            } else {
                guard let digit = hexadecimalValue(character) else { return nil }
                digits.append(digit)
            }
        }
        guard digits.count == 32, text.utf8.count == 36 else { return nil }
        bytes = (0..<16).map { digits[$0 * 2] << 4 | digits[$0 * 2 + 1] }
    }

    public var description: String {
        var text = ""
        for (i, byte) in bytes.enumerated() {
            if i == 4 || i == 6 || i == 8 || i == 10 { text += "-" }
            text += hexadecimal(UInt64(byte), digits: 2)
        }
        return text
    }
}

/// The value of an ASCII hexadecimal digit.
func hexadecimalValue(_ character: UInt8) -> UInt8? {
    switch character {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): character - UInt8(ascii: "A") + 10
    default: nil
    }
}
