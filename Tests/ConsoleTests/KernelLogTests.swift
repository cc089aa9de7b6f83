// SPDX-License-Identifier: Apache-2.0
import Linux
import Testing

@testable import Console

@Suite struct KernelLogTests {
    /// A record has room for 900 bytes of text, and no character is cut in two.
    @Test(
        arguments: [
            (String(repeating: "a", count: 900), 900), (String(repeating: "a", count: 5000), 900),
            (String(repeating: "a", count: 899) + "é", 899), (String(repeating: "a", count: 898) + "é", 900),
            (String(repeating: "a", count: 897) + "🙂", 897), (String(repeating: "🙂", count: 300), 900), ("", 0),
        ])
    func cutsLinesBetweenCharacters(text: String, expected: Int) {
        let cut = KernelLog.cut(text)
        #expect(cut.utf8.count == expected && text.hasPrefix(cut))
    }
}
