// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

/// What somebody wrote on a disk must not steer the terminal of whoever looks at it.
@Suite struct PrintableTextTests {
    @Test(
        arguments: [
            ("", ""), ("nap", "nap"), ("Übergröße 日本 🙂", "Übergröße 日本 🙂"), ("a\\b \\x1b", "a\\b \\x1b"),
            ("\u{1b}[2J\u{7}", "\\x1b[2J\\x07"), ("a\nb\rc\td\u{0}", "a\\x0ab\\x0dc\\x09d\\x00"), ("\u{7f}", "\\x7f"),
            ("\u{9b}31m\u{80}\u{9f}\u{a0}", "\\u009b31m\\u0080\\u009f\u{a0}"),
            ("\u{202e}txt.exe\u{2066}\u{200f}\u{61c}", "\\u202etxt.exe\\u2066\\u200f\\u061c"),
            ("a\u{200b}b\u{ad}\u{180e}\u{feff}", "a\\u200bb\\u00ad\\u180e\\ufeff"),
            ("\u{2060}\u{2064}\u{206a}\u{206f}", "\\u2060\\u2064\\u206a\\u206f"),
            ("\u{200d}\u{200c}\u{2010}\u{205f}\u{2070}", "\u{200d}\u{200c}\u{2010}\u{205f}\u{2070}"),
            ("\u{2028}\u{2029}\u{e0041}", "\\u2028\\u2029\\ue0041"),
        ])
    func escapesControlCharacters(text: String, expected: String) {
        #expect(printable(text) == expected)
        #expect(printable(printable(text)) == expected, "escaped twice")
    }

    /// Bytes that are no UTF-8: alone, cut off, too long for their value, a surrogate's, above the last character.
    @Test(
        arguments: [
            ([0xff, 0x41], "\\xffA"), ([0x80], "\\x80"), ([0x41, 0xc3], "A\\xc3"), ([0xe2, 0x82], "\\xe2\\x82"),
            ([0xc0, 0x9b], "\\xc0\\x9b"), ([0xe0, 0x82, 0x9b], "\\xe0\\x82\\x9b"),
            ([0xf0, 0x80, 0x82, 0x9b], "\\xf0\\x80\\x82\\x9b"), ([0xed, 0xa0, 0x80], "\\xed\\xa0\\x80"),
            ([0xf4, 0x90, 0x80, 0x80], "\\xf4\\x90\\x80\\x80"), ([0xc3, 0xa9, 0xe9], "é\\xe9"),
            ([0xf0, 0x9f, 0x99, 0x82], "🙂"), ([0xc2, 0x9b], "\\u009b"),
        ] as [([UInt8], String)])
    func escapesInvalidUTF8(bytes: [UInt8], expected: String) {
        #expect(printable(bytes: bytes) == expected)
        #expect(printable(text(fromDisk: bytes)) == expected)
    }

    @Test func keepsControlCharactersOfADisksText() { #expect(text(fromDisk: [0x1b, 0x0a]) == "\u{1b}\n") }

    @Test func escapesControlCharactersInJSON() {
        let json = "{\n  \"a\" : \"\u{9b}\u{7f}é\u{202e}\u{e0041}\\u001b\"\n}"
        #expect(
            printable(json: json) == "{\n  \"a\" : \"\\u009b\\u007fé\\u202e\\udb40\\udc41\\u001b\"\n}")
    }
}
