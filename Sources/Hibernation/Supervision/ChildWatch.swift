// SPDX-License-Identifier: Apache-2.0
import Basics
import Console
import Linux
import MemoryImage

/// Runs a role's work in a child process, waits for its end, and shows its progress.
///
/// PID 1 must survive every end of the work: a trap, a signal, the OOM killer, a hang. So a child reads everything that disks
/// and other kernels have written.
struct ChildWatch {
    let state: ChildState
    let log: KernelLog
    /// Names the work in progress lines and reasons: `saving`.
    let verb: String
    /// Seconds without progress after which the child is killed.
    let progressTimeoutSeconds: Int
    /// The watchdogs to feed every second.
    var watchdogs: Watchdogs?
    /// What persons at the consoles see and may do; nil if nobody needs to.
    var persons: Attendance?

    /// Runs the work, and waits for its end.
    /// - Parameter work: runs in the child; throws the reason if it gives up.
    /// - Returns: nil if the work was done, else the reason why it was not.
    func run(_ work: () throws(Failure) -> Void) -> String? {
        let child: Int32
        do throws(Failure) {
            child = try forkChild {
                watchdogs?.closeInChild()
                do throws(Failure) {
                    try work()
                    return 0
                } catch {
                    state.text = error.description
                    state.ending = error.isFinal ? .failedForGood : .failed
                    return 1
                }
            }
        } catch { return error.description }
        do throws(Failure) {
            switch try waitForEnd(of: child) {
            case .exited(0): return nil
            case .exited(1) where !state.text.isEmpty: return state.text
            case .exited(let status): return "\(verb): the child process ended with status \(status)"
            case .killed(signal: 9):
                return killReason
                    ?? "\(verb): the child process was killed by signal 9, perhaps because memory ran out"
            case .killed(let signal):
                return killReason ?? "\(verb): the child process was killed by signal \(signal)"
            }
        } catch { return error.description }
    }

    private var killReason: String? { state.text.isEmpty ? nil : state.text }

    /// Seconds to wait for the end of a killed child: one that waits for a device ends only after the device answers.
    private static let graceSeconds = 10

    /// How often the display is drawn and keys are read.
    private static let displayMilliseconds = 250

    private func waitForEnd(of child: Int32) throws(Failure) -> ChildStatus {
        var heartbeat = state.heartbeat
        var lastBeat = monotonicMilliseconds(), lastFeed = lastBeat
        // After the fork, so that the child does not hold the consoles open.
        let consoles = persons.map { ChildConsoles($0, state, log, verb: verb) }
        while true {
            let period = consoles == nil ? 1000 : ChildWatch.displayMilliseconds
            if let status = try wait(for: child, milliseconds: period) { return status }
            let now = monotonicMilliseconds()
            if now - lastFeed >= 1000 {
                watchdogs?.keepAlive()
                lastFeed = now
            }
            if let reason = consoles?.look(at: now) {
                let status = try end(child)
                // Not before the end of the child, which writes here too.
                if case .killed(9) = status {
                    state.text = reason
                    state.ending = .stopped
                }
                return status
            }
            if state.heartbeat != heartbeat {
                heartbeat = state.heartbeat
                lastBeat = now
            } else if now - lastBeat > UInt64(progressTimeoutSeconds) * 1000 {
                let activity = state.activity
                state.text =
                    "\(verb): no progress for \(progressTimeoutSeconds) s\(activity.isEmpty ? "" : " while \(activity)")"
                return try end(child)
            }
        }
    }

    /// Kills the child, and waits a limited time for its end.
    private func end(_ child: Int32) throws(Failure) -> ChildStatus {
        kill(child)
        for _ in 0..<ChildWatch.graceSeconds {
            if let status = try wait(for: child, milliseconds: 1000) { return status }
            watchdogs?.keepAlive()
        }
        return .killed(signal: 9)
    }
}
