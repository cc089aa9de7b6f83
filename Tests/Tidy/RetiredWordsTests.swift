// SPDX-License-Identifier: Apache-2.0
import Testing

@Suite struct RetiredWordsTests {
    @Test(arguments: [
        ("a.swift", "let a = Settings()", ["1 the name Settings was given up"]),
        ("a.swift", "\nlet childPatience = 1", ["2 \"patience\" in the name childPatience was given up"]),
        (
            "a.swift", "func putsTheWayBackInPlace() {}",
            ["1 \"way back\" in the name putsTheWayBackInPlace was given up"]
        ),
        (
            "a.swift", "// The way home.\nlet a = \"Rooms\"",
            ["1 \"way home\" was given up", "2 \"rooms\" was given up"]
        ),
        ("a.md", "Its *patience* ends.", ["1 \"patience\" was given up"]),
        ("a.sh", "curl http://deb.debian.org/x", ["1 deb.debian.org is one place among many"]),
        // Other names, and parts of words.
        ("a.swift", "let terminalSettings = telltales // Settings, mushrooms, rooms1", []),
        ("a.md", "(the\nway\n  home), `torpor.patience=`", ["2 \"way home\" was given up"]),
        ("a.swift", "let mushrooms = impatience // patience.", ["1 \"patience\" was given up"]),
        ("a.md", "Mushrooms, the Settings, room for more", []),
    ])
    func findsNamesAndPhrases(path: String, text: String, expected: [String]) {
        let found = RetiredWords.violations(SourceFile(path, text))
        #expect(found.map { "\($0.line) " + $0.message.prefix { $0 != ":" } } == expected)
    }

    @Test(arguments: [
        ("keptPages", ["kept", "pages"]), ("HeldMemory", ["held", "memory"]), ("EFI_x", ["e", "f", "i", "x"]), ("", []),
    ])
    func splitsNames(name: String, parts: [String]) { #expect(RetiredWords.parts(of: name) == parts) }

    @Test func nothingRetiredIsUsed() { expectNone(SourceTree.files.flatMap(RetiredWords.violations)) }
}
