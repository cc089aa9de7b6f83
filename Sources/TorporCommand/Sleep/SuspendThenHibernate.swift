// SPDX-License-Identifier: Apache-2.0
import Basics

/// Suspends until an alarm, and hibernates then; as systemd-sleep 257 does (src/sleep/sleep.c, `custom_timer_suspend`).
///
/// The alarm rings after HibernateDelaySec=. On a machine with batteries it also rings when their charge is estimated to end,
/// or, as long as nobody knows how fast they discharge, after SuspendEstimationSec=; a discharge that is not at its end then
/// leads to the next suspend. Without batteries and without HibernateDelaySec=, it rings after two hours.
struct SuspendThenHibernate {
    static let delayWithoutBattery: UInt64 = 2 * 3_600_000
    /// The kernel refuses to suspend if an alarm is due within two seconds, and does not wake for one that has rung before
    /// the devices sleep (kernel/time/alarmtimer.c, `alarmtimer_suspend`).
    static let shortestSleep: UInt64 = 10_000

    let sleep: SleepRun
    let suspend: Suspend
    private var system: SleepSystem { sleep.system }
    private var configuration: SleepConfiguration { suspend.configuration }

    init(_ sleep: SleepRun, _ suspend: Suspend) {
        self.sleep = sleep
        self.suspend = suspend
    }

    /// - Throws: if the machine could not suspend, or if it could not hibernate; then it was suspended instead.
    func run() throws {
        guard try suspendUntilDue() else {
            sleep.say("somebody woke the machine: there is no hibernation")
            return
        }
        do { try sleep.hibernate() } catch {
            sleep.warn("the hibernation failed: suspending instead")
            do { try sleep.perform("suspend-after-failed-hibernate", suspend.run) } catch let failure as Failure {
                sleep.warn(failure.description)
            }
            throw error
        }
    }

    /// Suspends once or several times.
    /// - Returns: whether it is time to hibernate; false if somebody or something else woke the machine.
    private func suspendUntilDue() throws -> Bool {
        let supplies = PowerSupplies(system: system)
        var rates = DischargeRates(system)
        var end = configuration.hibernateDelay.map { system.bootMilliseconds() + $0 }
        while !supplies.areLow {
            let before = supplies.batteries.filter { $0.capacity != nil }
            if !configuration.hibernatesOnACPower {
                if before.isEmpty {
                    sleep.warn("HibernateOnACPower=no is ignored: the machine has no battery")
                } else if supplies.isOnACPower {
                    end = configuration.hibernateDelay.map { system.bootMilliseconds() + $0 }
                }
            }
            var time =
                before.isEmpty
                ? configuration.hibernateDelay ?? SuspendThenHibernate.delayWithoutBattery
                : rates.suspendTime(before) ?? configuration.suspendEstimation
            let start = system.bootMilliseconds()
            if let end { time = min(time, end > start ? end - start : 0) }
            if time == 0 { return true }

            let isDue = try suspend(milliseconds: time)
            let slept = system.bootMilliseconds() - start
            let after = supplies.batteries.filter { $0.capacity != nil }
            do { try rates.learn(before: before, after: after, milliseconds: slept) } catch {
                sleep.warn("the discharge of the batteries could not be kept in \(DischargeRates.file)")
            }
            if !isDue { return false }
            if after.isEmpty { return true }
        }
        return true
    }

    /// Suspends with an alarm.
    /// - Returns: whether the alarm has rung.
    private func suspend(milliseconds: UInt64) throws -> Bool {
        var isDue = false
        try sleep.perform("suspend") {
            // After the hooks: an alarm that rings while they run would not wake the machine.
            let alarm = try system.wakeAlarm(max(milliseconds, SuspendThenHibernate.shortestSleep))
            try suspend.run()
            isDue = try alarm.hasRung()
        }
        return isDue
    }
}
