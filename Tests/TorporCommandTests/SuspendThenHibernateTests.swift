// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Testing

@testable import TorporCommand

@Suite struct SuspendThenHibernateTests {
    private let fixture: CommandFixture
    private var sleep: FakeSleep { fixture.sleep }
    private static let hour: UInt64 = 3_600_000

    init() throws { fixture = try CommandFixture() }

    private func configure(_ lines: String...) {
        sleep.write("/etc/systemd/sleep.conf", "[Sleep]\n" + lines.map { "\($0)\n" }.joined())
    }

    private func run(check: Failure? = nil, hibernation: Failure? = nil) -> (error: Failure?, warnings: [String]) {
        var warnings: [String] = []
        let hibernation = SleepRun.Hibernation(
            check: { if let check { throw check } },
            run: { [sleep] in
                sleep.record("hibernate")
                if let hibernation { throw hibernation }
            })
        let run = SleepRun(
            system: sleep.system, operation: .suspendThenHibernate, hibernation: hibernation, say: { _ in },
            warn: { warnings.append($0) })
        do { try run.run() } catch { return (error as? Failure, warnings) }
        return (nil, warnings)
    }

    private static let suspend = "mem > /sys/power/state"

    @Test func withoutBatteryItHibernatesAfterTwoHours() {
        #expect(run().error == nil)
        #expect(sleep.events == ["alarm in 7200 s", Self.suspend, "hibernate"])
    }

    @Test func hooksSeeBothParts() throws {
        configure("HibernateDelaySec=10min")
        try sleep.recordingHook("h")
        #expect(run().error == nil)
        #expect(
            sleep.events == [
                "h pre suspend-then-hibernate (suspend)", "alarm in 600 s", Self.suspend,
                "h post suspend-then-hibernate (suspend)", "h pre suspend-then-hibernate (hibernate)", "hibernate",
                "h post suspend-then-hibernate (hibernate)",
            ])
    }

    @Test func somebodyWhoWakesTheMachineEndsIt() {
        sleep.sleeps = [{ _, end in (end ?? 0) - 1000 }]
        #expect(run().error == nil)
        #expect(sleep.events == ["alarm in 7200 s", Self.suspend])
    }

    @Test func sessionsAreFrozenOnceForBothParts() {
        sleep.systemdVersion = "252 (252.39-1)"
        sleep.activeUnits = ["user.slice"]
        #expect(run().error == nil)
        #expect(
            sleep.events == [
                "systemctl freeze user.slice", "alarm in 7200 s", Self.suspend, "hibernate",
                "systemctl thaw user.slice",
            ])
    }

    @Test func afterAFailedHibernationTheMachineIsSuspendedAgain() throws {
        try sleep.recordingHook("h")
        let result = run(hibernation: Failure("hibernate", "", "no"))
        #expect(result.error?.reason == "no")
        #expect(result.warnings == ["the hibernation failed: suspending instead"])
        #expect(
            sleep.events.suffix(4) == [
                "h post suspend-then-hibernate (hibernate)",
                "h pre suspend-then-hibernate (suspend-after-failed-hibernate)", Self.suspend,
                "h post suspend-then-hibernate (suspend-after-failed-hibernate)",
            ])
    }

    @Test func aFailedSuspendEndsIt() throws {
        try sleep.recordingHook("h")
        sleep.suspendFailure = Failure("write", "state", "Device or resource busy")
        #expect(run().error?.description == "write mem to /sys/power/state: Device or resource busy")
        #expect(!sleep.events.contains("hibernate"))
        #expect(sleep.events.last == "h post suspend-then-hibernate (suspend)")
    }

    @Test func whatCannotWorkIsRefusedBeforeAnythingHappens() {
        #expect(run(check: Failure("check", "", "no")).error?.reason == "no")
        sleep.write(Suspend.stateFile, "disk\n")
        #expect(run().error?.operation == "suspend")
        #expect(sleep.events == [])
    }

    @Test func anAlarmThatCannotBeSetIsAFailure() {
        sleep.alarmFailure = Failure("set", "an alarm", "no clock")
        #expect(run().error?.reason == "no clock")
        #expect(sleep.events == [])
    }

    @Test func shortDelaysAreLengthened() {
        configure("HibernateDelaySec=1s")
        #expect(run().error == nil)
        #expect(sleep.events == ["alarm in 10 s", Self.suspend, "hibernate"])
    }

    // MARK: Batteries

    /// Sleeps until the alarm, with this charge afterwards.
    private func discharge(to capacity: Int) -> (FakeSleep, UInt64?) -> UInt64 {
        { sleep, end in
            sleep.battery(capacity)
            return end ?? 0
        }
    }

    @Test func anUnknownBatteryIsMeasuredUntilItsEnd() {
        sleep.battery(90)
        sleep.sleeps = [discharge(to: 70), discharge(to: 8), discharge(to: 5)]
        #expect(run().error == nil)
        // First SuspendEstimationSec=; then 70 % at 20 % an hour, less half an hour. 8 % are too little for 20 % an hour to
        // tell, so it is measured again.
        #expect(
            sleep.events == [
                "alarm in 3600 s", Self.suspend, "alarm in 10800 s", Self.suspend, "alarm in 3600 s", Self.suspend,
                "hibernate",
            ])
        #expect(sleep.text(DischargeRates.file) == "3 SomeMaker/M1/7\n")
    }

    @Test func theDelayEndsItBeforeTheBattery() {
        configure("HibernateDelaySec=90min", "SuspendEstimationSec=1h")
        sleep.battery(90)
        sleep.sleeps = [discharge(to: 89), discharge(to: 88)]
        #expect(run().error == nil)
        #expect(
            sleep.events == ["alarm in 3600 s", Self.suspend, "alarm in 1800 s", Self.suspend, "hibernate"])
    }

    @Test func aLowBatteryHibernatesAtOnce() {
        sleep.battery(5)
        #expect(run().error == nil)
        #expect(sleep.events == ["hibernate"])
    }

    @Test func onACPowerTheDelayDoesNotRunIfThatIsWanted() {
        configure("HibernateDelaySec=1h", "HibernateOnACPower=no")
        sleep.battery(90, status: "Full")
        sleep.supply("AC", ["type": "Mains", "online": "1"])
        sleep.sleeps = [
            { _, end in end ?? 0 }, { _, end in end ?? 0 },
            { sleep, end in
                sleep.supply("AC", ["online": "0"])
                sleep.battery(80)
                return end ?? 0
            },
        ]
        #expect(run().error == nil)
        #expect(sleep.events.filter { $0 == "alarm in 3600 s" }.count == 3)
        #expect(sleep.events.last == "hibernate")
    }
}
