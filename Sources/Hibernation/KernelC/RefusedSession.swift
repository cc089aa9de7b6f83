// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import Console
import Kexec
import Linux
import MemoryImage

/// PID 1 of kernel C and a session that cannot be resumed now: asks, keeps it or drops it.
extension RestoreRole {
    /// Follows the policy's or a person's choice for a pending image; never returns.
    /// - Parameter refusals: refusals in a row; see `RefusalPolicy.decision(refusals:)`.
    func decide(_ refusal: ResumeRefusal, _ refusals: UInt32?) -> Never {
        unloadJump()
        let policy = parameters.refusalPolicy
        var decision = policy.decision(refusals: refusals)
        while true {
            let answer = decision.askSeconds > 0 ? ask(refusal, refusals, decision) : nil
            switch (answer?.answer, decision.otherwise) {
            case (.shell, _):
                askAgainAfterShell(answer?.path)
                decision = policy.ask
            case (.again, _), (nil, .restart), (nil, .resume):
                // An image that is `ready` is tried again anyway.
                if answer != nil, refusals == nil { allowAttempt(refusal) }
                log.notice("restarting to try again; the session is kept")
                watchdogs.disarm()
                endMachine(log, restarting: true)
            case (.powerOff, _), (nil, .powerOff): powerOffKeepingSession()
            case (.bootRoot, _), (nil, .bootRoot): dropSession(refusal)
            case (nil, .goOn):
                log.notice("the ordinary start goes on; the session is kept")
                goOn()
            }
        }
    }

    /// Asks what to do after a person stopped the resume. Returns if it shall begin again.
    func decideAfterStop(_ refusal: ResumeRefusal) {
        // First, so that the image is `ready` whatever happens to the machine now.
        _ = note(refusal)
        unloadJump()
        while true {
            let answer = ask(refusal, nil, parameters.refusalPolicy.afterStop)
            switch answer?.answer {
            case .shell: askAgainAfterShell(answer?.path)
            case .again, nil:
                log.notice("resuming the session")
                return
            case .powerOff: powerOffKeepingSession()
            case .bootRoot: dropSession(refusal)
            }
        }
    }

    private func askAgainAfterShell(_ path: String?) {
        log.notice("running a shell; when it exits, the question is asked again")
        // No watchdog may restart the machine meanwhile: nobody feeds it while the shell runs.
        watchdogs.prepareJump()
        runShell(on: path ?? "/dev/console")
        watchdogs.continueAfterFailedJump()
    }

    private func powerOffKeepingSession() -> Never {
        log.notice("powering off; the session is kept")
        watchdogs.disarm()
        endMachine(log)
    }

    private func dropSession(_ refusal: ResumeRefusal) -> Never {
        log.notice("dropping the session to boot the root file system")
        leave(.root, givingUp: refusal)
    }

    /// Asks on every console, in a child process.
    /// - Returns: the answer and the console's path; nil if nobody answered in time.
    private func ask(
        _ refusal: ResumeRefusal, _ refusals: UInt32?, _ decision: RefusalPolicy.Decision
    ) -> (answer: RefusalMenu.Answer, path: String)? {
        let paths = consolePaths(inTable: (try? readText("/proc/consoles")) ?? "")
        var menu = RefusalMenu(
            reason: refusal.reason, refusals: refusals, hasRoot: parameters.refusalPolicy.canBootRoot,
            hasShell: isExecutable(RestoreRole.shell), isStopped: refusal.isStopped)
        let outcome = runInChild("asking", parameters, log, watchdogs: watchdogs) { (state) throws(Failure) in
            let consoles = ConsoleInput(paths)
            let found = menu.ask(consoles, seconds: decision.askSeconds, otherwise: decision.otherwise) { state.beat() }
            guard let found else { return }
            let number = paths.firstIndex { $0.utf8.elementsEqual(found.path.utf8) } ?? 0
            state.answer = UInt64(number) << 8 | found.answer.rawValue
        }
        if let reason = outcome.reason { log.error("cannot ask on the consoles: \(reason)") }
        let number = Int(truncatingIfNeeded: outcome.answer >> 8)
        guard let answer = RefusalMenu.Answer(rawValue: outcome.answer & 0xff), paths.indices.contains(number) else {
            return nil
        }
        return (answer, paths[number])
    }

    /// Marks a pending image as given up, however the child that read it ended: the root file system that boots now makes it
    /// stale.
    func giveUp(_ refusal: ResumeRefusal) {
        mark("as given up") { (partition) throws(Failure) in try giveUpImage(refusal, on: partition) }
    }

    /// Lets the ordinary start go on without a resume, and keeps the image; never returns.
    private func goOn() -> Never {
        switch start {
        case .initramfs: exitProcess(0)
        case .direct, .ordinary:
            mark("to be left alone by the next start") { (partition) throws(Failure) in
                try postponeResume(on: partition)
            }
            watchdogs.disarm()
            endMachine(log, restarting: true)
        }
    }

    /// Marks an image `ready` again although its last resume failed, because a person wants another attempt.
    private func allowAttempt(_ refusal: ResumeRefusal) {
        mark("for another attempt") { (partition) throws(Failure) in try allowAnotherAttempt(refusal, on: partition) }
    }

    /// Changes the state of the image on the partition to resume from, in a child process.
    /// - Parameter how: for the message if that fails: `as given up`.
    private func mark(_ how: String, _ change: (HibernationPartition) throws(Failure) -> Void) {
        let outcome = runInChild("marking the image", parameters, log, watchdogs: watchdogs) {
            (state) throws(Failure) in
            if let partition = try openPartitionToResume(parameters, seconds: 0, DeviceCatalog(state)) {
                try change(partition)
            }
        }
        if let reason = outcome.reason { log.error("cannot mark the image \(how): \(reason)") }
    }
}
