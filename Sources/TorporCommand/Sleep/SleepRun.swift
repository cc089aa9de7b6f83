// SPDX-License-Identifier: Apache-2.0
import Basics

/// One sleep operation: the order of checks, hooks and sleeps.
///
/// It is that of systemd-sleep 257 (src/sleep/sleep.c), with one difference: whether the system can hibernate is checked before
/// anything else, so that a refusal disturbs nobody. What has to change for a hibernation to be possible must therefore
/// happen in a unit before sleep.target and not in a hook.
struct SleepRun {
    /// The hibernation, as the operation needs it.
    struct Hibernation {
        /// Throws if the system cannot hibernate now.
        let check: () throws -> Void
        /// Hibernates. Throws if that failed and kernel A runs on; it has printed an `ExitCode`, but not a `Failure`.
        let run: () throws -> Void
    }

    let system: SleepSystem
    let operation: SleepOperation
    let hibernation: Hibernation
    let say: (String) -> Void
    let warn: (String) -> Void

    /// - Throws: what prevented the operation. Hooks have run for the way back, and the user sessions are thawed.
    func run() throws {
        let configuration = SleepConfiguration(system)
        configuration.warnings.forEach(warn)
        guard configuration.allows(operation) else {
            throw Failure(
                operation.rawValue, "", "sleep.conf forbids it",
                remedy: "see: systemd-analyze cat-config systemd/sleep.conf")
        }
        let suspend = Suspend(system: system, configuration: configuration)
        if operation == .suspendThenHibernate { try suspend.check() }
        try hibernation.check()
        try withFrozenSessions {
            if operation == .suspendThenHibernate {
                try SuspendThenHibernate(self, suspend).run()
            } else {
                try hibernate()
            }
        }
    }

    func hibernate() throws { try perform("hibernate", hibernation.run) }

    /// Does one sleep between the hooks for both ways.
    /// - Parameter action: what the hooks find in SYSTEMD_SLEEP_ACTION.
    func perform(_ action: String, _ work: () throws -> Void) throws {
        let hooks = HookPrograms(system: system, warn: warn)
        hooks.run(.pre, operation, action: action)
        defer { hooks.run(.post, operation, action: action) }
        lockHomes()
        say("\(action): going to sleep")
        do { try work() } catch {
            say("\(action): failed; the system runs on")
            throw error
        }
        say("\(action): the system is awake")
    }

    private func withFrozenSessions(_ work: () throws -> Void) throws {
        let sessions = UserSessions(system: system, say: say, warn: warn)
        let outcome = sessions.freeze(operation)
        do { try work() } catch {
            do throws(Failure) { try sessions.thaw(after: outcome) } catch { warn(error.description) }
            throw error
        }
        try sessions.thaw(after: outcome)
    }

    /// Locks the home directories of systemd-homed, so that their keys are not in memory.
    private func lockHomes() {
        guard system.isActive("systemd-homed.service") else { return }
        let home = "org.freedesktop.home1"
        let result = system.run(
            "busctl", "call", "--system", "--auto-start=no", home, "/org/freedesktop/home1", "\(home).Manager",
            "LockAllHomes")
        guard result?.isSuccess != true else { return }
        let lines = (result?.errors ?? "").split(separator: "\n")
        warn("the home directories of systemd-homed are not locked: \(lines.last ?? "busctl could not be started")")
    }
}
