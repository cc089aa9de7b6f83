// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux

/// Standard output and standard error of the program.
struct Terminal {
    let output: any TextStream
    let errors: any TextStream
    /// The width of help texts, in columns; nil takes the width of the terminal.
    var columns: Int?
    /// Reads a line that a person types; it gives nil at the end of the input. nil if no person is at the terminal.
    var readLine: (() -> String?)?

    init(
        output: any TextStream, errors: any TextStream, columns: Int? = nil, readLine: (() -> String?)? = nil
    ) {
        self.output = output
        self.errors = errors
        self.columns = columns
        self.readLine = readLine
    }

    /// How this process reads a person's answers; nil if standard input or standard error is no terminal.
    static var personsAnswers: (() -> String?)? {
        isatty(0) == 1 && isatty(2) == 1 ? { Swift.readLine() } : nil
    }

    /// Asks a question on standard error, without a line feed behind it.
    /// - Returns: the answer, without spaces around it; nil if nobody answers.
    func ask(_ question: String) -> String? {
        guard let readLine else { return nil }
        errors.write(printable(question))
        return readLine().map { $0.split(separator: " ").joined(separator: " ") }
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
