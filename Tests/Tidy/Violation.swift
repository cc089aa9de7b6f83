// SPDX-License-Identifier: Apache-2.0
import Testing

/// A place that breaks a rule.
struct Violation: Equatable, CustomStringConvertible {
    let path: String
    /// Counted from 1. What concerns a whole file is at line 1.
    let line: Int
    /// The rule, then the remedy, as one sentence.
    let message: String

    init(_ path: String, _ line: Int = 1, _ message: String) {
        self.path = path
        self.line = line
        self.message = message
    }

    var description: String { "\(path):\(line): \(message)" }
}

/// Fails once for each place that breaks a rule.
func expectNone(_ violations: [Violation], _ location: SourceLocation = #_sourceLocation) {
    for violation in violations { Issue.record(Comment(rawValue: violation.description), sourceLocation: location) }
}
