// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@Suite struct NumbersTests {
    @Test(
        arguments: [
            ("0", 0), ("42", 42), ("0x2a", 42), ("0XFF", 255), ("18446744073709551615", UInt64.max),
            ("0xffffffffffffffff", UInt64.max), ("18446744073709551616", nil), ("0x10000000000000000", nil), ("", nil),
            ("0x", nil), ("12a", nil), ("-1", nil), (" 1", nil), ("1 ", nil),
        ] as [(String, UInt64?)])
    func readsNumbers(text: String, expected: UInt64?) { #expect(parseNumber(text) == expected) }

    @Test(arguments: [("ff", 255), ("0", 0), ("", nil), ("0x1", nil), ("g", nil)] as [(String, UInt64?)])
    func readsHexadecimalDigits(text: String, expected: UInt64?) { #expect(parseHexadecimal(text) == expected) }

    @Test(
        arguments: [
            ("128M", 128 << 20), ("4GiB", 4 << 30), ("4096", 4096), ("1k", 1024), ("2T", 2 << 40), ("16777216T", nil),
            ("M", nil), ("12MB", nil), ("1.5G", nil), ("0x10M", nil), ("1MM", nil), ("", nil), ("1iB", nil),
        ] as [(String, UInt64?)])
    func readsSizes(text: String, expected: UInt64?) { #expect(parseSize(text) == expected) }

    @Test(
        arguments: [
            (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), (102_000_000, "97.2 MiB"),
            (1 << 30, "1.0 GiB"),
            (UInt64.max, "15.9 EiB"),
        ] as [(UInt64, String)])
    func describesSizes(bytes: UInt64, expected: String) { #expect(describe(bytes: bytes) == expected) }

    @Test(arguments: [(0, "0.0 s"), (99, "0.0 s"), (4123, "4.1 s"), (61000, "61.0 s")] as [(UInt64, String)])
    func describesTimes(milliseconds: UInt64, expected: String) {
        #expect(describe(milliseconds: milliseconds) == expected)
    }

    @Test func writesHexadecimalDigits() {
        #expect(hexadecimal(0) == "0")
        #expect(hexadecimal(0xabc, digits: 8) == "00000abc")
        #expect(hexadecimal(0x12345, digits: 2) == "12345")
        #expect(hexadecimal(0x1000..<0x2000) == "0x1000-0x2000")
    }

    /// The last number that fits, and the first that does not.
    @Test(
        arguments: [
            ("18014398509481983K", UInt64.max - 1023), ("18014398509481984K", nil),
            ("16777215T", UInt64.max - (1 << 40) + 1),
            ("18446744073709551615", UInt64.max), ("18446744073709551616", nil), ("4g", 4 << 30), ("1KiB", 1024),
            ("1kib", nil), ("1KB", nil), ("-1", nil), ("1 K", nil), ("0T", 0),
        ] as [(String, UInt64?)])
    func readsSizesUpToTheLargest(text: String, expected: UInt64?) { #expect(parseSize(text) == expected) }

    @Test(
        arguments: [
            ("ffffffffffffffff", UInt64.max), ("10000000000000000", nil), ("00000000000000000000ff", 255),
            ("FfFf", 65535),
            (" f", nil), ("+f", nil), ("-f", nil), ("\u{ff11}", nil),
        ] as [(String, UInt64?)])
    func readsHexadecimalDigitsUpToTheLargest(text: String, expected: UInt64?) {
        #expect(parseHexadecimal(text) == expected)
    }

    @Test(arguments: 0..<64 as Range<UInt64>)
    func readsBackWrittenNumbers(bit: UInt64) {
        for value: UInt64 in [1 << bit, (1 << bit) - 1, UInt64.max << bit] {
            #expect(parseHexadecimal(hexadecimal(value)) == value)
            #expect(parseNumber("0x\(hexadecimal(value, digits: 16))") == value)
            #expect(hexadecimal(value, digits: 16).utf8.count == 16)
            #expect(parseNumber("\(value)") == value)
        }
    }

    @Test(
        arguments: [
            (0.99, 0), (1, 1), (1.99, 1), (1e18, 1_000_000_000_000_000_000), (1e19, 1_000_000_000_000_000_000),
            (.infinity, 1_000_000_000_000_000_000), (-1, 0), (-.infinity, 0), (.nan, 0),
        ] as [(Double, UInt64)])
    func takesTheWholePartOfAnyNumber(value: Double, expected: UInt64) { #expect(wholePart(value) == expected) }

    /// Just below a unit the smaller one is used, and nothing is rounded up to 1024.
    @Test(
        arguments: [
            (1 << 20 - 1, "1023.9 KiB"), (1 << 20, "1.0 MiB"), (1 << 40 - 1, "1023.9 GiB"), (1 << 40, "1.0 TiB"),
            (1 << 50, "1.0 PiB"), (1 << 60, "1.0 EiB"), (1025, "1.0 KiB"),
        ] as [(UInt64, String)])
    func describesSizesNextToAUnit(bytes: UInt64, expected: String) { #expect(describe(bytes: bytes) == expected) }
}
