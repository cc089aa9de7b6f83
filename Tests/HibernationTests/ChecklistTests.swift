// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import Hibernation

@Suite struct ChecklistTests {
    private let failure = Failure("use", "/dev/sdb3", "it is too small", remedy: "use a larger one")

    @Test func collectsWhatEveryCheckFound() {
        var list = Checklist()
        let number = list.check("a") { (findings) throws(Failure) in
            findings.note("a note")
            return (7, "seven")
        }
        let nothing: Int? = list.check("b") { (findings) throws(Failure) in
            findings.warn("a warning", remedy: "do this")
            throw failure
        }
        let third = list.check("c", nothing, needs: "b") { (number, _) throws(Failure) in (number, "unused") }
        list.check("d", number, needs: "a") { (number, findings) throws(Failure) in
            findings.warn("first")
            findings.warn("second")
            return "\(number)"
        }
        #expect(number == 7 && nothing == nil && third == nil)
        #expect(
            list.requirements == [
                Requirement("a", .ok, "seven"), Requirement("b", .warning, "a warning", remedy: "do this"),
                Requirement("b", .missing, "use /dev/sdb3: it is too small", remedy: "use a larger one"),
                Requirement("c", .unknown, "not checked without b"), Requirement("d", .warning, "first"),
                Requirement("d", .warning, "second"),
            ])
        #expect(list.failure?.description == failure.description)
        #expect(list.findings.warnings.count == 3 && list.findings.notes.count == 1)
    }

    /// The same warning from two checks belongs to the first.
    @Test func namesTheFirstFailure() {
        var list = Checklist()
        for reason in ["first", "second"] {
            list.check("a") { (_) throws(Failure) -> String in throw Failure("x", "", reason) }
        }
        #expect(list.failure?.reason == "first" && list.requirements.count == 2)
        #expect(throws: Failure.self) { try list.require(1) }
    }

    @Test func marksWhatIsDenied() {
        var list = Checklist()
        list.check("a") { (_) throws(Failure) -> String in throw Failure("open", "/x", "no", errno: 13) }
        list.check("b") { (_) throws(Failure) -> String in throw Failure("open", "/x", "no", errno: 5) }
        #expect(list.requirements.map { $0.isDenied } == [true, false])
    }

    @Test func stopsAtTheFirstFailureIfItShall() throws {
        var findings = Findings()
        findings.note("known")
        var list = Checklist(findings, stopsAtFailure: true)
        var calls = 0
        list.check("a") { (_) throws(Failure) in
            calls += 1
            return ""
        }
        list.check("b") { (_) throws(Failure) -> String in throw failure }
        list.check("c") { (_) throws(Failure) in
            calls += 1
            return ""
        }
        #expect(calls == 1 && list.requirements.map { $0.name } == ["a", "b"])
        let thrown = #expect(throws: Failure.self) { try list.require(1) }
        #expect(thrown?.description == failure.description && list.findings.notes.count == 1)
        #expect(try Checklist().require(1) == 1)
    }
}
