// SPDX-License-Identifier: Apache-2.0

/// What Markdown names exists: files, sections, suites of tests. The index names every document.
enum Documents {
    /// Folders at the top whose files documents name.
    private static let folders = [
        "Sources", "Tests", "docs", "scripts", "man", "initramfs", "Benchmarks", "dist", ".ci",
    ]
    private static let extensions = [".swift", ".md", ".sh", ".py"]

    /// - Parameters:
    ///   - documents: every Markdown file, for the sections of the ones that are linked to.
    ///   - paths: all files and folders of the repository.
    ///   - tests: the names of the tests of each suite and test target.
    static func violations(
        _ documents: [SourceFile], _ paths: Set<String>, tests: [String: Set<String>]
    ) -> [Violation] {
        let names = Set(paths.map { String($0.split(separator: "/").last ?? "") })
        let sections = Dictionary(uniqueKeysWithValues: documents.map { ($0.path, anchors(in: $0)) })
        return documents.flatMap { document -> [Violation] in
            prose(of: document).flatMap { number, line in
                links(in: line).compactMap { target -> Violation? in
                    let parts = target.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
                    let path = parts[0].isEmpty ? document.path : resolve(String(parts[0]), from: document.folder)
                    if !paths.contains(path) {
                        return Violation(document.path, number, "there is no \(target): mend the link")
                    }
                    if parts.count > 1, sections[path]?.contains(String(parts[1])) != true {
                        return Violation(document.path, number, "\(path) has no section #\(parts[1]): mend the link")
                    }
                    return nil
                }
                    + codeSpans(in: line).compactMap { span -> Violation? in
                        if let missing = missingTest(span, tests) {
                            return Violation(document.path, number, "there is no \(missing): use its present name")
                        }
                        guard isPath(span) else { return nil }
                        let path = span.hasSuffix("/") ? String(span.dropLast()) : span
                        let isThere =
                            paths.contains(path) || paths.contains(resolve(path, from: document.folder))
                            || names.contains(path) || path.contains("/") && paths.contains { $0.hasSuffix("/\(path)") }
                        return isThere
                            ? nil : Violation(document.path, number, "there is no \(span): use the present path")
                    }
            }
        }
    }

    /// What code in a line of prose names of the tests and is not there: a suite, or a test as `SuiteTests.test`
    /// or `VM/SuiteTests.test`.
    private static func missingTest(_ span: String, _ tests: [String: Set<String>]) -> String? {
        if extensions.contains(where: { span.hasSuffix($0) }) { return nil }
        let parts = span.split(separator: ".", maxSplits: 1).map(String.init)
        guard let suite = parts.first?.split(separator: "/").last.map(String.init), suite.hasSuffix("Tests"),
            suite.allSatisfy({ $0.isLetter || $0.isNumber })
        else {
            return nil
        }
        guard let known = tests[suite] else { return "suite \(suite)" }
        return parts.count == 1 || known.contains(parts[1]) ? nil : "test \(parts[1]) in \(suite)"
    }

    /// Documents that the index of their folder does not link to, and gaps in the numbers of decisions.
    static func indexViolations(_ documents: [SourceFile]) -> [Violation] {
        let indexes = documents.filter { $0.path == "docs/README.md" || $0.path == "docs/decisions/README.md" }
        let missing = indexes.flatMap { index in
            let linked = Set(index.lines.flatMap { links(in: $0) }.map { resolve($0, from: index.folder) })
            return documents.filter { $0.folder == index.folder && $0.path != index.path && !linked.contains($0.path) }
                .map {
                    Violation(
                        index.path, 1, "\($0.path) is not in the index: add a link and a line that says what it is")
                }
        }
        let decisions = documents.filter { $0.folder == "docs/decisions" && $0.stem != "README" }
            .map(\.path).sorted()
        let gaps = decisions.enumerated().compactMap { index, path -> Violation? in
            let expected = String(repeating: "0", count: 4 - String(index + 1).count) + "\(index + 1)-"
            return path.hasPrefix("docs/decisions/\(expected)")
                ? nil
                : Violation(path, 1, "its number should be \(expected.dropLast()): decisions are numbered without gaps")
        }
        return missing + gaps
    }

    /// The lines of a document, with their numbers, without blocks of code.
    private static func prose(of document: SourceFile) -> [(number: Int, line: Substring)] {
        var isCode = false
        return document.lines.enumerated().compactMap { index, line in
            if line.drop(while: { $0 == " " }).hasPrefix("```") {
                isCode.toggle()
                return nil
            }
            return isCode ? nil : (index + 1, line)
        }
    }

    /// The targets of a line's links that lie in the repository.
    private static func links(in line: Substring) -> [String] {
        line.ranges(of: "](").compactMap { range in
            let rest = line[range.upperBound...]
            guard let end = rest.firstIndex(of: ")"), !rest[..<end].contains("://") else { return nil }
            return String(rest[..<end])
        }
    }

    private static func codeSpans(in line: Substring) -> [String] {
        line.split(separator: "`", omittingEmptySubsequences: false).enumerated()
            .filter { $0.offset % 2 == 1 }.map { String($0.element) }
    }

    /// Whether code in a line of prose is the path of a file, and of one that is no product of a build.
    private static func isPath(_ span: String) -> Bool {
        guard span.allSatisfy({ $0.isLetter || $0.isNumber || "._-+/".contains($0) }), !span.hasPrefix("/") else {
            return false
        }
        let parts = span.split(separator: "/")
        // NNNN, or a word in capitals within a path, stands for something else.
        let isPattern =
            span.contains("NNNN") || parts.dropFirst().contains { $0.allSatisfy { $0.isLetter && $0.isUppercase } }
        guard let first = parts.first, first != "build", !isPattern else { return false }
        return parts.count > 1 && folders.contains(String(first))
            || extensions.contains { span.hasSuffix($0) && span != $0 }
    }

    private static func resolve(_ target: String, from folder: String) -> String {
        var parts = folder.split(separator: "/")
        for part in target.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return parts.joined(separator: "/")
    }

    /// The anchors that GitHub gives to a document's headings.
    private static func anchors(in document: SourceFile) -> Set<String> {
        var anchors: Set<String> = []
        for (_, line) in prose(of: document) where line.hasPrefix("#") {
            let title = line.drop { $0 == "#" }.drop { $0 == " " }.lowercased()
            anchors.insert(
                String(title.filter { $0.isLetter || $0.isNumber || " -_".contains($0) }).replacing(" ", with: "-"))
        }
        return anchors
    }
}
