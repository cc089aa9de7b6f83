// SPDX-License-Identifier: Apache-2.0

/// A result of a check that does not prevent hibernation.
///
/// A check that finds a reason to refuse throws a `Failure` instead.
public struct Finding: Equatable, Sendable, CustomStringConvertible {
    public enum Severity: String, Sendable {
        /// A fact that the administrator may want to know, such as a value that Torpor chose.
        case note
        /// Something may go wrong, or a safeguard is missing.
        case warning
    }

    public var severity: Severity
    /// One sentence, without a full stop.
    public var text: String
    /// What the administrator can do about it.
    public var remedy: String?

    public init(_ severity: Severity, _ text: String, remedy: String? = nil) {
        self.severity = severity
        self.text = text
        self.remedy = remedy
    }

    /// The sentence with its remedy, in the form of `Failure`.
    public var description: String {
        guard let remedy else { return text }
        return "\(text); \(remedy)"
    }
}

/// The findings of all checks of one run, in the order in which they were found.
public struct Findings {
    public private(set) var all: [Finding] = []
    private let whenFound: (Finding) -> Void

    /// - Parameter whenFound: is called with each finding as soon as it is added.
    public init(_ whenFound: @escaping (Finding) -> Void = { _ in }) { self.whenFound = whenFound }

    public var warnings: [Finding] { all.filter { $0.severity == .warning } }
    public var notes: [Finding] { all.filter { $0.severity == .note } }

    /// Adds a finding. A check may run more than once; the same finding is kept once.
    public mutating func add(_ finding: Finding) {
        guard !all.contains(finding) else { return }
        all.append(finding)
        whenFound(finding)
    }

    public mutating func warn(_ text: String, remedy: String? = nil) { add(Finding(.warning, text, remedy: remedy)) }
    public mutating func note(_ text: String) { add(Finding(.note, text)) }
}
