// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Console

@Suite struct EscapeSequenceTests {
    /// The bytes that are keys of their own.
    @Test(
        arguments: [
            ("abc", "abc"), ("\u{1b}", ""), ("\u{1b}[Ax", "x"), ("\u{1b}OPx", "x"), ("\u{1b}[[Ax", "x"),
            ("\u{1b}[3~x", "x"),
            ("\u{1b}[1;5Cx", "x"), ("\u{1b}qx", "x"),
            // A sequence that was cut off does not swallow the next one.
            ("\u{1b}[\u{1b}[Ax", "x"), ("\u{1b}\u{1b}[Ax", "x"), ("\u{1b}O\u{1b}[Ax", "x"),
        ])
    func skipsTheBytesOfOtherKeys(text: String, expected: String) {
        var sequence = EscapeSequence()
        let keys = text.utf8.filter { !sequence.take($0) }
        #expect(String(decoding: keys, as: UTF8.self) == expected)
    }

    @Test func knowsAnEscWithNothingAfterIt() {
        var sequence = EscapeSequence()
        #expect(!sequence.isBegun)
        _ = sequence.take(0x1b)
        #expect(sequence.isBegun)
        _ = sequence.take(UInt8(ascii: "["))
        #expect(!sequence.isBegun)
    }
}
