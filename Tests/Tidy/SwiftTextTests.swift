// SPDX-License-Identifier: Apache-2.0
import Testing

@Suite struct SwiftTextTests {
    /// In the source, code is in capitals and prose in small letters.
    @Test(arguments: [
        "A // b \" c\nD", "A /* b /* c */ d */ E", "A \"b\" C", "A \"b\\\"c\" D", "A \"b\\(C(D))e\" F",
        "A \"b\\(C(\"d\"))e\" F",
        "A \"\"\"\nb \" c\n\"\"\" D", "A #\"b \" \\(c) \"# D", "A #\"b\\#(C)d\"# E", "#IF A", "A \"b\\\\\" C",
        "A ##\"b\"# c\"## D",
        "A \"// b\" C", "A \"b\nC", "A / B * C", "A \"\" B", "A(\"b\", (C)) D",
    ])
    func tellsCodeFromProse(source: String) {
        let text = SwiftText(source)
        #expect(text.code.count == source.count && text.prose.count == source.count)
        #expect(text.code.filter(\.isLetter) == source.filter(\.isUppercase))
        #expect(text.prose.filter(\.isLetter) == source.filter(\.isLowercase))
        #expect(text.code.count { $0 == "\n" } == source.count { $0 == "\n" })
    }

    @Test func knowsWhereTokensAre() {
        let tokens = SwiftText("func a(b: Int) {\n    c.`d`() // e\n}").tokens
        #expect(tokens.map(\.text) == ["func", "a", "b", "Int", "c", "d"])
        #expect(tokens.map(\.line) == [1, 1, 1, 1, 2, 2])
        #expect(tokens.map(\.depth) == [0, 0, 0, 0, 1, 1])
        #expect(tokens.map(\.before) == ["\0", "c", "(", ":", "{", "."])
        #expect(tokens.map(\.after) == ["a", "(", ":", ")", ".", "("])
    }

    @Test func findsDeclarations() {
        let text = """
            public struct A { private static func b() {}; case c, d }
            fileprivate let e = 1, f: public(set) var g
            extension A { class func h() {} }
            func == (i: A, j: A) -> Bool { let (k, l) = m; if let n { return a.let } }
            final class O {}; private(set) var p
            """
        let found = Declaration.all(in: SwiftText(text).tokens)
        #expect(found.map(\.name) == ["A", "b", "c", "e", "g", "h", "n", "O", "p"])
        #expect(found.filter(\.isPrivate).map(\.name) == ["b", "e"])
        #expect(found.filter { $0.depth == 0 }.map(\.name) == ["A", "e", "g", "O", "p"])
    }
}
