// SPDX-License-Identifier: Apache-2.0
import Testing

@Suite struct DocumentsTests {
    private static let paths: Set<String> = [
        "README.md", "docs", "docs/README.md", "docs/testing.md", "docs/decisions", "docs/decisions/README.md",
        "Sources",
        "Sources/Kexec", "Sources/Kexec/Stub.swift",
    ]
    private static let testing = SourceFile("docs/testing.md", "# Testing\n\n## `make check`, and why\n")

    @Test(arguments: [
        ("[a](testing.md) [b](../README.md) [c](decisions/) [d](https://example.org/x)", []),
        ("[a](testing.md#make-check-and-why), `Sources/Kexec`, `Sources/Kexec/Stub.swift`, `Stub.swift`", []),
        (
            "`StubTests`, `Sources/*/Stub.swift`, `docs/decisions/NNNN-NAME.md`, `build/vm/NAME`, `x.swift.gz`, `/dev/mem`",
            []
        ),
        ("```\n`Sources/Gone`\n```", []),
        ("text\n[a](testng.md)", ["2 there is no testng.md"]),
        ("[a](testing.md#no)", ["1 docs/testing.md has no section #no"]),
        ("[a](#no)", ["1 docs/page.md has no section #no"]),
        ("`Sources/Gone/`", ["1 there is no Sources/Gone/"]), ("`Gone.swift`", ["1 there is no Gone.swift"]),
        ("`GoneTests`", ["1 there is no suite GoneTests"]), ("`StubTests.copies`", []),
        ("`VM/StubTests.gone`", ["1 there is no test gone in StubTests"]),
        ("`Tests/StubTests.swift`", ["1 there is no Tests/StubTests.swift"]),
    ])
    func findsNamesOfWhatIsNotThere(text: String, expected: [String]) {
        let page = SourceFile("docs/page.md", text)
        let found = Documents.violations(
            [page, Self.testing], Self.paths.union([page.path]), tests: ["StubTests": ["copies"]])
        #expect(found.map { "\($0.line) " + $0.message.prefix { $0 != ":" } } == expected)
    }

    @Test func findsDocumentsWithoutALinkAndGaps() {
        let documents = [
            SourceFile("docs/README.md", "[a](testing.md)"), Self.testing, SourceFile("docs/new.md", ""),
            SourceFile("docs/decisions/README.md", "[1](0001-a.md) [3](0003-b.md)"),
            SourceFile("docs/decisions/0001-a.md", ""), SourceFile("docs/decisions/0003-b.md", ""),
        ]
        let expected = [
            "docs/README.md:1: docs/new.md is not in the index: add a link and a line that says what it is",
            "docs/decisions/0003-b.md:1: its number should be 0002: decisions are numbered without gaps",
        ]
        #expect(Documents.indexViolations(documents).map(\.description) == expected)
    }

    @Test func everythingThatADocumentNamesIsThere() {
        // Suites and test targets have the names of their files and folders, but for this one.
        var tests: [String: Set<String>] = ["VMTests": []]
        for path in SourceTree.paths { if let name = path.split(separator: "/").last { tests[String(name)] = [] } }
        for file in SourceTree.swiftFiles {
            let functions = Declaration.all(in: file.tokens).filter { $0.kind == .function }.map(\.name)
            for suite in Suites.suites(in: file.tokens) { tests[suite.name, default: []].formUnion(functions) }
        }
        expectNone(Documents.violations(SourceTree.documents, SourceTree.paths, tests: tests))
    }

    @Test func theIndexNamesEveryDocument() { expectNone(Documents.indexViolations(SourceTree.documents)) }
}
