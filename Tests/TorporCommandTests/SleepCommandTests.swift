// SPDX-License-Identifier: Apache-2.0
import Basics
import Hibernation
import Testing

@testable import TorporCommand

@Suite struct SleepCommandTests {
    private let fixture: CommandFixture

    init() throws { fixture = try CommandFixture() }

    @Test func hybridSleepIsRefused() {
        let outcome = fixture.run("sleep", "hybrid-sleep")
        #expect(outcome.status == 1)
        #expect(
            outcome.errors
                == "torpor: hybrid-sleep: a saved session is on the disk, so the system in memory must never run again and "
                + "cannot be suspended; use systemctl hibernate or systemctl suspend-then-hibernate\n")
    }

    @Test func otherOperationsAreUsageErrors() {
        #expect(fixture.run("sleep", "suspend").status == 2)
        #expect(fixture.run("sleep").status == 2)
    }

    @Test func itHibernatesWithTheHooks() throws {
        try fixture.sleep.recordingHook("hook")
        fixture.hibernation.onCheck = { (_, _) throws(Failure) in ("/dev/sdz1", []) }
        let sleep = fixture.sleep
        fixture.hibernation.onRun = { (_, _) throws(Failure) in
            sleep.record("hibernate")
            throw Failure("load kernel B", "", "no memory")
        }
        let outcome = fixture.run("sleep", "hibernate")
        #expect(outcome.status == 1)
        #expect(outcome.errors == "torpor: load kernel B: no memory\n")
        #expect(outcome.output == "hibernate: going to sleep\nhibernate: failed; the system runs on\n")
        #expect(
            sleep.events == ["hook pre hibernate (hibernate)", "hibernate", "hook post hibernate (hibernate)"])
        #expect(fixture.hibernation.plan?.after == .powerOff)
    }

    @Test func aRefusalIsToldOnce() throws {
        try fixture.sleep.recordingHook("hook")
        let outcome = fixture.run("sleep", "hibernate")
        #expect(outcome.status == 1)
        #expect(outcome.errors == "torpor: check: nothing is set up\n")
        #expect(fixture.sleep.events == [])
    }
}
