// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Basics
import Foundation
import Testing

@testable import TorporCommand

@Suite struct SleepRunTests {
    private let fixture: CommandFixture
    private var sleep: FakeSleep { fixture.sleep }

    init() throws {
        fixture = try CommandFixture()
        sleep.systemdVersion = "257 (257.9-1)"
        sleep.activeUnits = ["user.slice", "systemd-homed.service"]
        try sleep.recordingHook("hook")
    }

    private static let lockHomes =
        "busctl call --system --auto-start=no org.freedesktop.home1 /org/freedesktop/home1 org.freedesktop.home1.Manager "
        + "LockAllHomes"

    private func run(check: Failure? = nil, hibernation: Failure? = nil) -> (error: Failure?, warnings: [String]) {
        var warnings: [String] = []
        let hibernation = SleepRun.Hibernation(
            check: { [sleep] in
                sleep.record("check")
                if let check { throw check }
            },
            run: { [sleep] in
                sleep.record("hibernate")
                if let hibernation { throw hibernation }
            })
        let run = SleepRun(
            system: sleep.system, operation: .hibernate, hibernation: hibernation, say: { _ in },
            warn: { warnings.append($0) })
        do { try run.run() } catch { return (error as? Failure, warnings) }
        return (nil, warnings)
    }

    @Test func theOrderIsThatOfSystemd() {
        let result = run()
        #expect(result.error == nil && result.warnings == [])
        #expect(
            sleep.events == [
                "check", "systemctl freeze user.slice", "hook pre hibernate (hibernate)", Self.lockHomes, "hibernate",
                "hook post hibernate (hibernate)", "systemctl thaw user.slice",
            ])
    }

    @Test func afterAFailureTheHooksRunAndTheSessionsAreThawed() {
        let result = run(hibernation: Failure("hibernate", "", "no"))
        #expect(result.error?.reason == "no")
        #expect(
            sleep.events.suffix(3)
                == ["hibernate", "hook post hibernate (hibernate)", "systemctl thaw user.slice"])
    }

    @Test func theFailureOfTheHibernationCountsMoreThanThatOfTheThaw() {
        sleep.answers["systemctl thaw user.slice"] = ProgramResult(end: .exited(1), errors: "gone\n")
        let result = run(hibernation: Failure("hibernate", "", "no"))
        #expect(result.error?.reason == "no")
        #expect(result.warnings.count == 1)
        #expect(run().error?.operation == "thaw")
    }

    @Test func aRefusalDisturbsNobody() {
        #expect(run(check: Failure("check", "", "no")).error?.reason == "no")
        #expect(sleep.events == ["check"])
    }

    @Test func sleepConfForbids() {
        sleep.write("/etc/systemd/sleep.conf", "[Sleep]\nAllowHibernation=no\n")
        #expect(
            run().error?.description
                == "hibernate: sleep.conf forbids it; see: systemd-analyze cat-config systemd/sleep.conf")
        #expect(sleep.events == [])
    }

    @Test func homesThatCannotBeLockedAreAWarning() {
        sleep.answers[Self.lockHomes] = ProgramResult(end: .exited(1), errors: "Call failed: busy\n")
        let result = run()
        #expect(result.error == nil)
        #expect(result.warnings == ["the home directories of systemd-homed are not locked: Call failed: busy"])
        #expect(sleep.events.contains("hibernate"))
    }

    @Test func withoutSystemdOnlyTheHooksRun() {
        sleep.systemdVersion = nil
        #expect(run().error == nil)
        #expect(
            sleep.events == [
                "check", "hook pre hibernate (hibernate)", "hibernate", "hook post hibernate (hibernate)",
            ])
    }

    @Test func aFailedHookStopsNothing() throws {
        try sleep.hook("fails", "exit 1")
        let result = run()
        #expect(result.error == nil && result.warnings.count == 2)
        #expect(sleep.events.contains("hibernate"))
    }
}
