// SPDX-License-Identifier: Apache-2.0

/// How long the files and lines of Swift are.
enum FileShape {
    static let lineLimit = 250
    static let columnLimit = 128
    /// Begins the comment that gives a long file's reason.
    static let reason = "// Long because: "

    static func violations(_ file: SourceFile) -> [Violation] {
        guard file.isSwift else { return [] }
        var lines = file.lines
        if lines.last?.isEmpty == true { lines.removeLast() }
        let isExcused = lines.contains { $0.hasPrefix(reason) && $0.count > reason.count }
        let tooLong =
            lines.count <= lineLimit || isExcused
            ? []
            : [
                Violation(
                    file.path, lineLimit + 1,
                    "it has \(lines.count) lines, more than \(lineLimit): split it by type, or give the reason in a line "
                        + "\"\(reason)…\"")
            ]
        let code = file.swift?.code.split(separator: "\n", omittingEmptySubsequences: false) ?? []
        return tooLong
            + zip(lines, code).enumerated().filter {
                $0.element.0.count > columnLimit && !isLiteral($0.element.0, $0.element.1)
            }
            .map { number, line in
                Violation(
                    file.path, number + 1, "it has \(line.0.count) columns, more than \(columnLimit): break the line")
            }
    }

    /// Whether a line lies within a literal of many lines: a text from elsewhere keeps its line breaks.
    private static func isLiteral(_ line: Substring, _ code: Substring) -> Bool {
        code.allSatisfy { $0 == " " } && !line.drop { $0 == " " }.hasPrefix("//")
    }
}
