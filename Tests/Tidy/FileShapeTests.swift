// SPDX-License-Identifier: Apache-2.0
import Testing

@Suite struct FileShapeTests {
    private static func lines(_ count: Int, _ first: String = "//") -> String {
        first + "\n" + String(repeating: "//\n", count: count - 1)
    }

    @Test(arguments: [
        (lines(250), nil), (lines(251), 251), (lines(251, "// Long because: one table."), nil),
        (lines(251, "// Long because: "), 251), (lines(251, "let a = \"// Long because: x\""), 251),
        (String(repeating: "é", count: 128), nil), ("\n" + String(repeating: "é", count: 129), 2),
        ("let a = \"\"\"\n\(String(repeating: "x", count: 129))\n\"\"\"", nil),
        ("//" + String(repeating: "x", count: 127), 1),
    ])
    func limitsLinesAndColumns(text: String, expected: Int?) {
        #expect(FileShape.violations(SourceFile("A.swift", text)).first?.line == expected)
        #expect(FileShape.violations(SourceFile("A.md", text)) == [])
    }

    @Test func noSwiftFileIsTooLong() { expectNone(SourceTree.swiftFiles.flatMap(FileShape.violations)) }
}
