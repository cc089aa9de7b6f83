// SPDX-License-Identifier: Apache-2.0
import Basics
import Console
import Linux

/// What persons at the consoles see of a child's work, and how they stop it.
struct Attendance {
    /// What Esc and Ctrl-C do, for the display: `give up`.
    let stopping: String
    /// The reason if a person does so, before the name of the key: `a person gave up the save with`.
    let reason: String
    /// Whether the work may be stopped only if its image is known: without one there is no session to decide about.
    var needsImage = false
    /// The text of /proc/consoles.
    var consoles = (try? readText("/proc/consoles")) ?? ""
}

/// The consoles during a child's work: they show its progress and take the keys that stop it. Their settings come back when
/// this is released.
final class ChildConsoles {
    private let attendance: Attendance
    private let state: ChildState
    private let log: KernelLog
    private let display: ProgressDisplay
    private let keys: StopKeys
    private var wasTooLate = false

    init(_ attendance: Attendance, _ state: ChildState, _ log: KernelLog, verb: String) {
        self.attendance = attendance
        self.state = state
        self.log = log
        display = ProgressDisplay(log, verb: verb, stopping: attendance.stopping)
        keys = StopKeys(consolePaths(inTable: attendance.consoles))
    }

    /// Shows the progress and looks for keys; does not wait.
    /// - Returns: why the child is to be stopped; nil if nobody wants that, or if it is too late.
    func look(at now: UInt64) -> String? {
        let isStoppable = state.stage.rawValue < ChildState.Stage.committing.rawValue
        display.show(state.work, isStoppable: isStoppable, at: now)
        guard let press = keys.press(at: now), !attendance.needsImage || state.image != nil else { return nil }
        guard isStoppable else {
            if !wasTooLate { log.notice("\(press): too late, the work is being completed") }
            wasTooLate = true
            return nil
        }
        display.end()
        log.notice("\(press): stopping")
        return "\(attendance.reason) \(press)"
    }
}
