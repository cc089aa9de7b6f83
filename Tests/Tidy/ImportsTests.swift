// SPDX-License-Identifier: Apache-2.0
import Testing

@Suite struct ImportsTests {
    private static let basics = SourceFile(
        "Sources/Basics/Numbers.swift",
        """
        public struct Failure { public let reason: String }
        public func hexadecimal(_ value: UInt64) -> String { "" }
        private func helper() {}
        extension String { public init(fromDisk bytes: [UInt8]) {} }
        public func ..< <Space>(start: UInt64, end: UInt64) -> Range { a + b }
        """)

    @Test(arguments: [
        ("import Basics\nlet a = Failure()", []), ("import Basics\nprint(error.reason)", []),
        ("import Basics\nlet a = String(fromDisk: [])", []), ("import Foundation\n", []),
        ("import Basics\nlet a = 1..<2", []), ("import Basics\nlet a = b.c + 1 < 2", ["1 nothing of Basics"]),
        ("import Basics\nlet a = 1", ["1 nothing of Basics"]),
        ("import Basics\n// Failure\nhelper()", ["1 nothing of Basics"]),
        ("\n@testable import Basics\n", ["2 nothing of Basics"]),
    ])
    func findsImportsOfWhichNothingIsUsed(text: String, expected: [String]) {
        let violations = Imports.violations([Self.basics, SourceFile("Tests/KexecTests/A.swift", text)], [:])
        #expect(
            violations.map { "\($0.line) " + $0.message.split(separator: " ").prefix(3).joined(separator: " ") }
                == expected)
    }

    @Test func findsImportsThatAreNotDeclared() {
        let file = SourceFile("Sources/Kexec/Stub.swift", "import Basics\nthrow Failure()")
        #expect(Imports.violations([Self.basics, file], ["Kexec": (1, ["Basics"])]) == [])
        let violations = Imports.violations([Self.basics, file], ["Kexec": (1, ["Linux"])])
        #expect(
            violations.map(\.message) == [
                "Kexec imports Basics, which its dependencies in Package.swift do not name: declare it there"
            ])
    }

    @Test func everyImportIsDeclaredAndUsed() throws {
        let manifest = try #require(SourceTree.files.first { $0.path == "Package.swift" })
        expectNone(Imports.violations(SourceTree.swiftFiles, ModuleDependencies.modules(in: manifest.text)))
    }
}
