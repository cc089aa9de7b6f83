// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@Suite struct TextSearchTests {
    @Test func findsTextInBytes() {
        let bytes = Array("abcabd: x".utf8)[1...]
        #expect(bytes.firstIndex(of: "ab") == 3)
        #expect(bytes.after("abd")?.elementsEqual(": x".utf8) == true)
        #expect(bytes.before(": ")?.elementsEqual("bcabd".utf8) == true)
        #expect(bytes.firstIndex(of: "abcd") == nil && bytes.after("z") == nil && bytes.before("z") == nil)
        #expect(bytes.firstIndex(of: "x") == 8 && bytes.firstIndex(of: "xy") == nil)
        #expect([UInt8]().firstIndex(of: "a") == nil)
        #expect("a\u{1b}é\u{7f}".utf8.printable == "a????")
    }

    @Test(arguments: [("a\n", "a"), ("", ""), (" \n", ""), ("a b\t\r\n", "a b")])
    func trims(text: String, expected: String) { #expect(trimmed(text) == expected) }
}
