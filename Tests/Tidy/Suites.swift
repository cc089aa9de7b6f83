// SPDX-License-Identifier: Apache-2.0

/// A test file holds one suite with the name of the file, and the file has the name of the source that it tests.
enum Suites {
    /// Suites that are about no single source, with the reason. A path that ends with a slash stands for a folder.
    static let properties: [String: String] = [
        "Tests/VM/Cases/": "whole machines; the file has the name of its suite, of which all are in one serial suite",
        "Tests/Fuzz/Replay/ReplayTests.swift": "the corpus, through every target",
        "Tests/CommandTests/": "the command as it was built",
        "Tests/Simulation/": "the life of an image on a simulated disk",
        "Tests/MemoryImageTests/GoldenImageTests.swift": "images of every version of the format",
        "Tests/MemoryImageTests/SecondReaderTests.swift": "the reader in Python finds the same",
        "Tests/MemoryImageTests/MutatedImageTests.swift": "changed images, through every reader",
        "Tests/MemoryImageTests/AtMostOnceTests.swift": "whatever fails, an image is resumed at most once",
        "Tests/MemoryImageTests/MalformedInputTests.swift": "malformed input, through every parser of the format",
    ]

    /// The suites of a file, with the lines where they are declared.
    static func suites(in tokens: [Token]) -> [(name: String, line: Int)] {
        tokens.indices.compactMap { index in
            guard tokens[index].text == "Suite", tokens[index].before == "@",
                let keyword = tokens[index...].firstIndex(where: {
                    ["struct", "class", "enum", "actor"].contains($0.text)
                }),
                keyword + 1 < tokens.count
            else { return nil }
            return (tokens[keyword + 1].text, tokens[keyword].line)
        }
    }

    /// - Parameter paths: all files of the repository.
    static func violations(_ files: [SourceFile], _ paths: Set<String>) -> [Violation] {
        let sources = paths.filter { $0.hasSuffix(".swift") }.map { SourceFile($0, "") }
        return files.filter { $0.isSwift && $0.path.hasPrefix("Tests/") }.flatMap { file -> [Violation] in
            let tokens = file.tokens
            let suites = suites(in: tokens)
            let outside = tokens.first { $0.text == "Test" && $0.before == "@" && $0.depth == 0 }
            if let outside {
                return [Violation(file.path, outside.line, "a test is in no suite: move it into \(file.stem)")]
            }
            guard let first = suites.first else {
                return file.stem.hasSuffix("Tests")
                    ? [
                        Violation(
                            file.path, 1, "it holds no suite: call it after what it holds, without Tests at the end")
                    ] : []
            }
            var violations = suites.dropFirst().map {
                Violation(file.path, $0.line, "a file holds one suite: move \($0.name) into a file of its own")
            }
            if first.name != file.stem {
                violations.append(
                    Violation(file.path, first.line, "\(first.name) is not the name of its file: rename one of them"))
            } else if property(file.path) == nil, !sources.contains(where: { isSource($0, of: file) }) {
                violations.append(
                    Violation(
                        file.path, first.line,
                        "there is no source that \(first.name) is named after: move its tests to the suites of their "
                            + "sources, or give the reason in \(Suites.self).properties"))
            }
            return violations
        }
    }

    private static func property(_ path: String) -> String? {
        properties.first { $0.key == path || $0.key.hasSuffix("/") && path.hasPrefix($0.key) }?.value
    }

    /// Whether a test file has the name of a source of the module that its folder is about, or of a fixture.
    private static func isSource(_ source: SourceFile, of test: SourceFile) -> Bool {
        guard "\(source.stem)Tests" == test.stem else { return false }
        let folder = String(test.path.split(separator: "/")[1])
        let module = folder.hasSuffix("Tests") ? "Sources/\(folder.dropLast(5))/" : "Tests/\(folder)/"
        return source.path.hasPrefix(module) || source.path.hasPrefix("Tests/Fixtures/")
    }
}
