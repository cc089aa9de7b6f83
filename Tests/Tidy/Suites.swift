// SPDX-License-Identifier: Apache-2.0

/// A test file holds one suite with the name of the file, and the file has the name of the source that it tests: StubTests for
/// Stub. Beside it, StubLimitTests may hold what would make StubTests too long.
enum Suites {
    /// Suites that are about no single source, with the reason. A path that ends with a slash stands for a folder.
    static let properties: [String: String] = [
        "Tests/VM/Cases/": "whole machines; one serial suite holds all suites",
        "Tests/Simulation/": "the life of an image on a simulated disk",
        "Tests/Fuzz/Replay/ReplayTests.swift": "the corpus, through every target",
        "Tests/HibernationTests/MakeInitramfsDriversTests.swift": "mkinitramfs-drivers.sh, which is no Swift",
        "Tests/HibernationTests/MakeInitramfsModulesTests.swift": "mkinitramfs-modules.sh, which is no Swift",
        "Tests/HibernationTests/MakeInitramfsTests.swift": "mkinitramfs.sh, which is no Swift",
        "Tests/HibernationTests/RefusalKindTests.swift": "which refusals are final, of every source that refuses",
        "Tests/MemoryImageTests/AtMostOnceTests.swift": "whatever fails, an image is resumed at most once",
        "Tests/MemoryImageTests/DecompressorTests.swift": "one of the types of Compression.swift",
        "Tests/MemoryImageTests/GoldenEncodingTests.swift":
            "every writer of the format, on what earlier versions wrote",
        "Tests/MemoryImageTests/GoldenImageTests.swift": "images of every version of the format",
        "Tests/MemoryImageTests/ImageTests.swift": "writer, reader and verifier, one after the other",
        "Tests/MemoryImageTests/IndexMemoryTests.swift": "the memory that all types of the index take together",
        "Tests/MemoryImageTests/MalformedInputTests.swift": "malformed input, through every parser of the format",
        "Tests/MemoryImageTests/MutatedImageTests.swift": "changed images, through every reader",
        "Tests/MemoryImageTests/SecondReaderTests.swift": "the reader in Python finds the same",
        "Tests/TorporCommandTests/MainTests.swift": "the program as it was built",
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
            } else if property(file.path) == nil, !hasSource(file, sources) {
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

    /// Whether there is a source that a test file is named after, or that a test file beside it is named after, of which it
    /// is a part by its name.
    private static func hasSource(_ test: SourceFile, _ sources: [SourceFile]) -> Bool {
        let name = test.stem.dropLast(5)
        return name.indices.dropFirst().filter { name[$0].isUppercase }.map { String(name[..<$0]) }.contains {
            subject in
            sources.contains { $0.path == "\(test.folder)/\(subject)Tests.swift" }
                && sources.contains { isSource($0, subject, of: test) }
        } || sources.contains { isSource($0, String(name), of: test) }
    }

    /// Whether a source has a name and belongs to the module that the folder of a test is about, or is a fixture.
    private static func isSource(_ source: SourceFile, _ subject: String, of test: SourceFile) -> Bool {
        guard source.stem == subject else { return false }
        let folder = String(test.path.split(separator: "/")[1])
        let module = folder.hasSuffix("Tests") ? "Sources/\(folder.dropLast(5))/" : "Tests/\(folder)/"
        return source.path.hasPrefix(module) || source.path.hasPrefix("Tests/Fixtures/")
    }
}
