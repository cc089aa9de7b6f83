// SPDX-License-Identifier: Apache-2.0
import Basics

/// Standard output and standard error of the program.
struct Terminal {
    let output: any TextStream
    let errors: any TextStream
    /// The width of help texts, in columns; nil takes the width of the terminal.
    var columns: Int?

    init(output: any TextStream, errors: any TextStream, columns: Int? = nil) {
        self.output = output
        self.errors = errors
        self.columns = columns
    }

    /// Prints a line on standard output, with control characters as escapes: text from a disk must not control the terminal.
    func show(_ line: String) { write(printable(line)) }

    /// Prints text of one or more lines on standard output, unchanged.
    func write(_ text: String) { output.write("\(text)\n") }

    /// Prints a value as JSON on standard output, with the version of docs/json.md.
    func write(json value: some Encodable) throws { write(try VersionedJSON(value).text()) }

    /// Prints text on standard error, each line with control characters as escapes.
    func write(error text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { printable(String($0)) }
        errors.write("\(lines.joined(separator: "\n"))\n")
    }

    /// Prints a warning of one line on standard error.
    func warn(_ text: String) { write(error: "torpor: warning: \(printable(text))") }
}

extension String {
    /// The text with spaces behind it, up to a number of characters.
    func padded(to count: Int) -> String { self + String(repeating: " ", count: max(0, count - self.count)) }
}
