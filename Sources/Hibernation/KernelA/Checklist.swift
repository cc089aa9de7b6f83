// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// A requirement for a hibernation, as a check found it.
public struct Requirement: Equatable, Sendable {
    public enum Mark: String, Sendable {
        case ok
        /// Something may go wrong, or a safeguard is missing.
        case warning
        /// The system cannot hibernate.
        case missing
        /// Not checked, because another requirement is missing.
        case unknown
    }

    /// The name of the requirement, as a short phrase. Several warnings about one requirement have the same name.
    public var name: String
    public var mark: Mark
    /// What was found, as a phrase without a full stop.
    public var value: String
    /// What the administrator can do, as an imperative; nil if nothing.
    public var remedy: String?
    /// Whether the check needs a permission that this process lacks.
    public var isDenied = false

    public init(_ name: String, _ mark: Mark, _ value: String, remedy: String? = nil) {
        self.name = name
        self.mark = mark
        self.value = value
        self.remedy = remedy
    }
}

/// Makes checks and collects what they found.
///
/// `torpor check` wants all results. A hibernation wants the first reason to refuse: then later checks do nothing.
public struct Checklist {
    public private(set) var requirements: [Requirement] = []
    /// Warnings and notes of all checks.
    public private(set) var findings: Findings
    /// The first reason why the system cannot hibernate.
    public private(set) var failure: Failure?
    private let stopsAtFailure: Bool

    /// - Parameters:
    ///   - findings: those of earlier checks.
    ///   - stopsAtFailure: whether checks after the first failure do nothing.
    public init(_ findings: Findings = Findings(), stopsAtFailure: Bool = false) {
        self.findings = findings
        self.stopsAtFailure = stopsAtFailure
    }

    /// Makes a check.
    /// - Parameters:
    ///   - name: the requirement's name.
    ///   - body: makes the check. It adds warnings and notes, and throws a reason to refuse. It returns its result, and what it
    ///     found as a phrase.
    /// - Returns: the result; nil if there is none.
    public mutating func check<Result>(
        _ name: String, _ body: (inout Findings) throws(Failure) -> (Result, String)
    ) -> Result? {
        if stopsAtFailure, failure != nil { return nil }
        let known = findings.all.count
        do throws(Failure) {
            let (result, value) = try body(&findings)
            if !addWarnings(name, since: known) { requirements.append(Requirement(name, .ok, value)) }
            return result
        } catch {
            _ = addWarnings(name, since: known)
            add(name, error)
            return nil
        }
    }

    /// Makes a check whose only result is what it found.
    public mutating func check(_ name: String, _ body: (inout Findings) throws(Failure) -> String) {
        let _: Bool? = check(name) { (findings) throws(Failure) in (true, try body(&findings)) }
    }

    /// Makes a check that needs the result of an earlier one.
    /// - Parameters:
    ///   - input: that result; nil if there is none. The requirement is then unknown.
    ///   - needed: what the check needs, as a phrase.
    public mutating func check<Input, Result>(
        _ name: String, _ input: Input?, needs needed: String,
        _ body: (Input, inout Findings) throws(Failure) -> (Result, String)
    ) -> Result? {
        guard let input else {
            if !stopsAtFailure { requirements.append(Requirement(name, .unknown, "not checked without \(needed)")) }
            return nil
        }
        return check(name) { (findings) throws(Failure) in try body(input, &findings) }
    }

    /// Makes a check that needs the result of an earlier one, and whose only result is what it found.
    public mutating func check<Input>(
        _ name: String, _ input: Input?, needs needed: String,
        _ body: (Input, inout Findings) throws(Failure) -> String
    ) {
        let _: Bool? = check(name, input, needs: needed) { (input, findings) throws(Failure) in
            (true, try body(input, &findings))
        }
    }

    /// Adds a requirement that is missing.
    public mutating func add(_ name: String, _ failure: Failure) {
        var sentence = failure
        sentence.remedy = nil
        var requirement = Requirement(name, .missing, sentence.description, remedy: failure.remedy)
        requirement.isDenied = ErrorNumber.areDenials.contains(failure.errno)
        requirements.append(requirement)
        self.failure = self.failure ?? failure
    }

    /// Adds what another check found. A missing requirement does not become the failure of the hibernation.
    public mutating func add(_ requirement: Requirement) { requirements.append(requirement) }

    /// Turns the warnings that a check has found into requirements.
    /// - Returns: whether there are any.
    private mutating func addWarnings(_ name: String, since known: Int) -> Bool {
        let warnings = findings.all[known...].filter { $0.severity == .warning }
        for warning in warnings {
            requirements.append(Requirement(name, .warning, warning.text, remedy: warning.remedy))
        }
        return !warnings.isEmpty
    }

    /// The result of the last check.
    /// - Throws: the first failure.
    func require<Result>(_ result: Result?) throws(Failure) -> Result {
        if let failure { throw failure }
        guard let result else { throw Failure("check", "this system", "a check gave no result") }
        return result
    }
}

extension Hibernate {
    /// Makes checks until the first failure.
    /// - Parameter findings: gets the warnings and notes, even if this throws.
    func untilFailure<Result>(
        _ findings: inout Findings, _ checks: (inout Checklist) -> Result?
    ) throws(Failure) -> Result {
        var list = Checklist(findings, stopsAtFailure: true)
        defer { findings = list.findings }
        let result = checks(&list)
        return try list.require(result)
    }
}
