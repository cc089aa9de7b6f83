// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Testing

@testable import TorporCommand

@Suite struct UserSessionsTests {
    private let fixture: CommandFixture
    private var sleep: FakeSleep { fixture.sleep }

    init() throws {
        fixture = try CommandFixture()
        sleep.systemdVersion = "257 (257.9-1)"
        sleep.activeUnits = ["user.slice"]
    }

    private func freeze(_ operation: SleepOperation) -> (outcome: UserSessions.Outcome, warnings: [String]) {
        var warnings: [String] = []
        let sessions = UserSessions(system: sleep.system, say: { _ in }, warn: { warnings.append($0) })
        return (sessions.freeze(operation), warnings)
    }

    @Test(arguments: [
        ("249 (249.11-0ubuntu3)", false, false), ("252 (252.39-1~deb12u2)", false, true),
        ("255 (255.4-1)", false, true),
        ("256", true, true), ("258~rc1 (258~rc1-1)", true, true), ("none", false, false),
    ])
    func versionsFreeze(version: String, hibernate: Bool, suspendThenHibernate: Bool) {
        sleep.systemdVersion = version
        #expect(freeze(.hibernate).outcome == (hibernate ? .frozen : .untouched))
        #expect(freeze(.suspendThenHibernate).outcome == (suspendThenHibernate ? .frozen : .untouched))
    }

    @Test(arguments: [("0", false, 0), ("false", false, 0), ("1", true, 0), ("perhaps", true, 1)])
    func theVariableForbids(value: String, isFrozen: Bool, warnings: Int) {
        sleep.variables["SYSTEMD_SLEEP_FREEZE_USER_SESSIONS"] = value
        let result = freeze(.hibernate)
        #expect(result.outcome == (isFrozen ? .frozen : .untouched))
        #expect(result.warnings.count == warnings)
        #expect(sleep.events == (isFrozen ? ["systemctl freeze user.slice"] : []))
    }

    @Test func withoutSessionsOrSystemdNothingHappens() {
        sleep.activeUnits = []
        #expect(freeze(.hibernate).outcome == .untouched)
        sleep.systemdVersion = nil
        #expect(freeze(.hibernate).outcome == .untouched)
        #expect(sleep.events == [])
    }

    @Test func aFailedFreezeIsAWarning() {
        sleep.answers["systemctl freeze user.slice"] = ProgramResult(end: .exited(1), errors: "one\nnot supported\n")
        let result = freeze(.hibernate)
        #expect(result.outcome == .failed)
        #expect(result.warnings == ["the user sessions stay unfrozen: not supported"])
        #expect(sleep.exists(UserSessions.mark))
    }

    @Test(arguments: [false, true])
    func afterAFailedFreezeAFailedThawIsNoFailure(isThawed: Bool) throws {
        sleep.answers["systemctl freeze user.slice"] = ProgramResult(end: .exited(1), errors: "not supported\n")
        if !isThawed { sleep.answers["systemctl thaw user.slice"] = ProgramResult(end: .exited(1)) }
        let sessions = UserSessions(system: sleep.system, say: { _ in }, warn: { _ in })
        try sessions.thaw(after: sessions.freeze(.hibernate))
        #expect(sleep.events == ["systemctl freeze user.slice", "systemctl thaw user.slice"])
        #expect(!sleep.exists(UserSessions.mark))
    }

    @Test func whatAKilledOperationLeftIsThawedOnce() throws {
        #expect(freeze(.hibernate).outcome == .frozen)
        #expect(fixture.run("sleep", "thaw").output == "thawed the user sessions (user.slice)\n")
        let second = fixture.run("sleep", "thaw")
        #expect(second.status == 0 && second.output.isEmpty && second.errors.isEmpty)
        #expect(sleep.events == ["systemctl freeze user.slice", "systemctl thaw user.slice"])
    }

    @Test func aFailedThawIsAFailureAndCanBeRepeated() {
        #expect(freeze(.hibernate).outcome == .frozen)
        sleep.answers["systemctl thaw user.slice"] = ProgramResult(end: .timedOut)
        let outcome = fixture.run("sleep", "thaw")
        #expect(outcome.status == 1)
        #expect(
            outcome.errors
                == "torpor: thaw the user sessions: systemctl thaw user.slice: it took too long and was ended; run: "
                + "systemctl thaw user.slice\n")
        sleep.answers = [:]
        #expect(fixture.run("sleep", "thaw").status == 0)
    }
}
