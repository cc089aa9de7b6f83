// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Testing

@testable import Linux

/// Files of /proc have any length; each of their lines is bounded.
@Suite struct TextLinesTests {
    private func withFile(_ text: String, _ body: (String) throws -> Void) throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)").path
        try Data(text.utf8).write(to: URL(filePath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        try body(path)
    }

    @Test(
        arguments: [
            ("", []), ("a", ["a"]), ("a\n", ["a"]), ("a\nb", ["a", "b"]), ("\n\na\n", ["", "", "a"]),
            ("a\r\n", ["a\r"]),
        ] as [(String, [String])])
    func splitsLines(text: String, expected: [String]) throws {
        try withFile(text) { (path: String) throws in #expect(try lines(of: path) == expected) }
    }

    /// As long as /proc/cpuinfo of 2,000 CPUs: lines lie across the pieces in which the file is read.
    @Test func readsFilesOfAnyLength() throws {
        let count = 60_000
        let text = (0..<count).map { "processor \($0): \(String(repeating: "x", count: $0 % 97))\n" }.joined()
        #expect(text.utf8.count > 3 << 20)
        try withFile(text) { (path: String) throws in
            var number = 0
            var wrong = 0
            try readLines(path) { (line) throws(Failure) in
                if line != "processor \(number): \(String(repeating: "x", count: number % 97))" { wrong += 1 }
                number += 1
                return true
            }
            #expect(number == count && wrong == 0)
            #expect(throws: Failure.self, "the whole file is too large") { try readText(path) }
        }
    }

    @Test func stopsIfTheClosureReturnsFalse() throws {
        try withFile("a\nb\nc\n") { (path: String) throws in
            var seen: [String] = []
            try readLines(path) { (line) throws(Failure) in
                seen.append(line)
                return line != "b"
            }
            #expect(seen == ["a", "b"])
        }
    }

    @Test(arguments: ["", "\n"]) func refusesALineBeyondItsLimit(end: String) throws {
        try withFile(String(repeating: "x", count: 100) + end) { (path: String) throws in
            #expect(throws: Never.self) { try readLines(path, limit: 100) { (_) throws(Failure) in true } }
            let failure = #expect(throws: Failure.self) {
                try readLines(path, limit: 99) { (_) throws(Failure) in true }
            }
            #expect(failure?.reason == "a line is longer than 99 B")
        }
        #expect(throws: Failure.self) { try lines(of: "/nowhere") }
    }
}
