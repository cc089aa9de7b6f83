// SPDX-License-Identifier: Apache-2.0
import Basics
import Console
import Linux
import MemoryImage

/// Runs a role's work in a child process and waits for its end, telling the progress meanwhile.
///
/// PID 1 must outlive whatever becomes of the work: a trap, a signal, the out-of-memory killer, a hang. So everything that
/// looks at what disks and other kernels have written is done in a child.
struct ChildWatch {
    let state: ChildState
    let log: KernelLog
    /// What the child does, as a word for the progress: `saving`.
    let verb: String
    /// Seconds without a sign of life after which the child is ended.
    let progressTimeoutSeconds: Int
    /// Are told every second that there is hope.
    var watchdogs: Watchdogs?

    /// - Parameter work: runs in the child; throws what made it give up.
    /// - Returns: nil where the work was done, else the reason why it was not.
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
            case .exited(let status): return "the process \(verb) ended with status \(status)"
            case .killed(signal: 9):
                return killReason ?? "the process \(verb) was ended by signal 9, as it is when memory runs out"
            case .killed(let signal): return killReason ?? "the process \(verb) was ended by signal \(signal)"
            }
        } catch { return error.description }
    }

    private var killReason: String? { state.text.isEmpty ? nil : state.text }

    /// Seconds that a child may take to end once it was killed: one that waits for a device does not before that answers.
    private static let graceSeconds = 10

    private func waitForEnd(of child: Int32) throws(Failure) -> ChildStatus {
        var heartbeat = state.heartbeat
        var lastBeat = monotonicMilliseconds()
        var progress = Progress(verb: verb)
        while true {
            if let status = try wait(for: child, milliseconds: 1000) { return status }
            watchdogs?.keepAlive()
            if let line = progress.line(state.work, at: monotonicMilliseconds()) { log.info(line) }
            let now = monotonicMilliseconds()
            if state.heartbeat != heartbeat {
                heartbeat = state.heartbeat
                lastBeat = now
            } else if now - lastBeat > UInt64(progressTimeoutSeconds) * 1000 {
                let activity = state.activity
                state.text =
                    "no progress \(verb) for \(progressTimeoutSeconds) s\(activity.isEmpty ? "" : " while \(activity)")"
                kill(child)
                for _ in 0..<ChildWatch.graceSeconds {
                    if let status = try wait(for: child, milliseconds: 1000) { return status }
                    watchdogs?.keepAlive()
                }
                return .killed(signal: 9)
            }
        }
    }
}
