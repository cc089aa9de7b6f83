// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import Console
import Kexec
import Linux
import MemoryImage
import PhysicalMemory

/// Kernel C: puts an image's memory back and jumps into it, or goes on as if there were none.
///
/// Until the jump nothing but RAM that this kernel does not use is changed, and the states of the partition: a refusal
/// costs nothing.
struct RestoreRole {
    let parameters: KernelParameters
    let log: KernelLog
    let commandLine: KernelCommandLine
    let watchdogs: Watchdogs

    func run() -> Never {
        guard let refusal = resume() else { leave(parameters.fallback) }
        log.error("not resuming: \(refusal.reason)")
        switch note(refusal) {
        case .none: leave(parameters.fallback)
        case .waiting where refusal.isFinal, .attempted where refusal.isFinal, .unknown where refusal.isFinal:
            leave(parameters.fallback, givingUp: refusal)
        case .waiting where parameters.isResumeForbidden, .attempted where parameters.isResumeForbidden,
            .unknown where parameters.isResumeForbidden:
            log.notice(
                parameters.fallback == .root
                    ? "noresume: the session is given up, as the root file system that boots now changes under it"
                    : "noresume: the session is kept")
            leave(parameters.fallback, givingUp: refusal)
        case .waiting(let refusals): decide(refusal, refusals)
        case .attempted, .unknown: decide(refusal, nil)
        }
    }

    /// - Returns: why there was no resume; nil if there is nothing to resume.
    private func resume() -> ResumeRefusal? {
        let outcome = runInChild("restoring", parameters, log, watchdogs: watchdogs) { (state) throws(Failure) in
            let steps = StepRunner(state: state, log: log, fault: parameters.fault)
            try Restore(parameters: parameters, log: log, steps: steps).run()
        }
        guard outcome.stage == .committed || outcome.stage == .committing && isConsumed(outcome.imageUUID)
        else {
            return outcome.reason.map {
                ResumeRefusal(
                    reason: $0, isFinal: outcome.ending == .failedForGood, isClean: outcome.ending != nil,
                    hasAttempted: outcome.stage != .preparing, image: outcome.image)
            }
        }
        log.notice("jumping into kernel A")
        watchdogs.prepareJump()
        defer { watchdogs.continueAfterFailedJump() }
        do throws(Failure) { try jumpToLoadedImage() } catch {
            // The kernel refuses before it changes anything (kernel/kexec_core.c, `kernel_kexec`, Linux 6.12).
            return ResumeRefusal(
                reason: error.description, hasAttempted: true, image: outcome.image, consumedImage: outcome.image)
        }
        return ResumeRefusal(
            reason: "the jump into kernel A came back", isFinal: true, isClean: false, image: outcome.image)
    }

    /// Whether the image is marked `consumed` although the child that was to do that has not told so. The memory is in
    /// place then and the jump is loaded, and the session would be lost without it.
    private func isConsumed(_ imageUUID: UUID) -> Bool {
        let outcome = runInChild("looking at the partition", parameters, log, watchdogs: watchdogs) {
            (state) throws(Failure) in
            let catalog = DeviceCatalog(state)
            try catalog.refresh()
            let states = catalog.usablePartitions.compactMap { $0.verdict.superblock }
                .filter { $0.imageUUID == imageUUID }.map { $0.state }
            // Of copies, all have to be marked.
            if states.contains(.consumed), !states.contains(where: { $0.isPending }) { state.stage = .committed }
        }
        return outcome.stage == .committed
    }

    /// Notes a refusal on the partition.
    private func note(_ refusal: ResumeRefusal) -> RefusedSession {
        var quick = parameters
        quick.waitSeconds = 0
        quick.progressTimeoutSeconds = min(parameters.progressTimeoutSeconds, RestoreRole.noteTimeoutSeconds)
        // A person who forbids the resume is no refusal.
        if parameters.isResumeForbidden, !refusal.hasAttempted { return .unknown }
        let outcome = runInChild("noting the refusal", quick, log, watchdogs: watchdogs) { (state) throws(Failure) in
            let path = try findPartitionToResume(parameters, seconds: 0, DeviceCatalog(state))
            switch try Hibernation.note(refusal, on: path, isRetrying: parameters.isRetrying) {
            case .waiting(let refusals): state.answer = UInt64(refusals) << 1 | 1
            case .none: state.answer = RestoreRole.noSession
            case .attempted: state.answer = RestoreRole.attemptedSession
            case .unknown: return
            }
        }
        if let reason = outcome.reason { log.error("the refusal was not noted: \(reason)") }
        switch outcome.answer {
        case 0: return .unknown
        case RestoreRole.noSession: return .none
        case RestoreRole.attemptedSession: return .attempted
        case let answer: return .waiting(refusals: UInt32(truncatingIfNeeded: answer >> 1))
        }
    }

    /// A device that hung while the image was read hangs again; a catalog waits half as long for one.
    private static let noteTimeoutSeconds = 2 * DeviceCatalog.standardSeconds
    private static let noSession: UInt64 = 2, attemptedSession: UInt64 = 4

    /// Takes the way that the policy or a person chooses for a session that waits; never returns.
    /// - Parameter refusals: see `RefusalPolicy`.
    private func decide(_ refusal: ResumeRefusal, _ refusals: UInt32?) -> Never {
        unloadJump()
        let policy = parameters.refusalPolicy
        var decision = policy.decision(refusals: refusals)
        while true {
            let answer = decision.askSeconds > 0 ? ask(refusal, refusals, decision) : nil
            switch (answer?.answer, decision.otherwise) {
            case (.shell, _):
                log.notice("running a shell; when it ends, the question comes back")
                // A person may take their time.
                watchdogs.prepareJump()
                runShell(on: answer?.path ?? "/dev/console")
                watchdogs.continueAfterFailedJump()
                decision = policy.ask
            case (.restart, _), (nil, .restart):
                // One that waits is tried again anyway.
                if answer != nil, refusals == nil { allowAttempt(refusal) }
                log.notice("restarting to try again; the session is kept")
                watchdogs.letGo()
                endMachine(log, restarting: true)
            case (.powerOff, _), (nil, .powerOff):
                log.notice("powering off; the session is kept")
                watchdogs.letGo()
                endMachine(log)
            case (.bootRoot, _), (nil, .bootRoot):
                log.notice("giving the session up for the root file system")
                leave(.root, givingUp: refusal)
            }
        }
    }

    /// - Returns: the answer and the console's path; nil without one in time.
    private func ask(
        _ refusal: ResumeRefusal, _ refusals: UInt32?, _ decision: RefusalPolicy.Decision
    ) -> (answer: RefusalMenu.Answer, path: String)? {
        let paths = consolePaths(inTable: (try? readText("/proc/consoles")) ?? "")
        var menu = RefusalMenu(
            reason: refusal.reason, refusals: refusals, hasRoot: parameters.refusalPolicy.canBootRoot,
            hasShell: isExecutable(RestoreRole.shell))
        let outcome = runInChild("asking", parameters, log, watchdogs: watchdogs) { (state) throws(Failure) in
            let consoles = ConsoleInput(paths)
            let found = menu.ask(consoles, seconds: decision.askSeconds, otherwise: decision.otherwise) { state.beat() }
            guard let found else { return }
            let number = paths.firstIndex { $0.utf8.elementsEqual(found.path.utf8) } ?? 0
            state.answer = UInt64(number) << 8 | found.answer.rawValue
        }
        if let reason = outcome.reason { log.error("nobody was asked: \(reason)") }
        let number = Int(truncatingIfNeeded: outcome.answer >> 8)
        guard let answer = RefusalMenu.Answer(rawValue: outcome.answer & 0xff), paths.indices.contains(number) else {
            return nil
        }
        return (answer, paths[number])
    }

    /// Marks an image that still waits, whatever became of the child that looked at it: the root file system that this
    /// kernel goes on with makes it stale.
    private func giveUp(_ refusal: ResumeRefusal) {
        let outcome = runInChild("marking the image", parameters, log, watchdogs: watchdogs) {
            (state) throws(Failure) in
            guard let path = try findPartitionToResume(parameters, seconds: 0, DeviceCatalog(state)) else { return }
            let partition = try HibernationPartition(path, .write)
            var next = partition.superblock
            guard next.giveUp(refusal) else { return }
            try partition.retireImage { superblock in
                superblock.state = next.state
                superblock.isGivenUp = next.isGivenUp
                superblock.reason = next.reason
            }
        }
        if let reason = outcome.reason { log.error("the image was not marked: \(reason)") }
    }

    /// Takes an attempt back that did not come through, as a person wants the image tried again.
    private func allowAttempt(_ refusal: ResumeRefusal) {
        let outcome = runInChild("marking the image", parameters, log, watchdogs: watchdogs) {
            (state) throws(Failure) in
            guard let path = try findPartitionToResume(parameters, seconds: 0, DeviceCatalog(state)) else { return }
            let partition = try HibernationPartition(path, .write)
            var next = partition.superblock
            guard refusal.image == nil || refusal.image == next.imageUUID, next.allowAttempt() else { return }
            try partition.update { $0.state = next.state }
        }
        if let reason = outcome.reason { log.error("the image was not marked: \(reason)") }
    }

    /// An init or a person takes a loaded kernel for the one to restart into, and this one is kernel A.
    private func unloadJump() {
        // Under lockdown even unloading is refused, and there nothing could be loaded.
        if isKernelLoaded() == false { return }
        do throws(Failure) { try loadKexecImage(entry: 0, [], preservesContext: false) } catch {
            if error.errno != ErrorNumber.notImplemented {
                log.error(error.description)
                endMachine(log)
            }
        }
    }

    /// Takes a fallback; never returns.
    /// - Parameter refusal: of a session that is given up if the fallback is the root file system.
    private func leave(_ fallback: Fallback, givingUp refusal: ResumeRefusal? = nil) -> Never {
        unloadJump()
        switch fallback {
        case .root:
            log.error("not going on with the root file system: \(goOnWithRoot(givingUp: refusal))")
            // Without a root file system to go on with, a person has to look.
            runLastShell()
            endMachine(log)
        case .shell:
            runLastShell()
            endMachine(log)
        case .powerOff:
            log.notice("powering off")
            watchdogs.letGo()
            endMachine(log)
        case .reboot:
            log.notice("restarting")
            watchdogs.letGo()
            endMachine(log, restarting: true)
        }
    }

    /// Mounts `root=` and runs its init in this process's place.
    /// - Returns: why that did not work.
    private func goOnWithRoot(givingUp refusal: ResumeRefusal?) -> String {
        let root = RootFileSystem(commandLine)
        if let refusal {
            // A session is not given up for a root file system that is not there either.
            let looking = runInChild("looking for the root file system", parameters, log, watchdogs: watchdogs) {
                (state) throws(Failure) in
                _ = try root.find(state)
            }
            if let reason = looking.reason { return reason }
            giveUp(refusal)
        }
        // The child mounts for PID 1 as well: they have the same name space.
        let mounting = runInChild("mounting", parameters, log, watchdogs: watchdogs) { (state) throws(Failure) in
            try root.mount(state, isDelayed: refusal == nil)
        }
        if let reason = mounting.reason { return reason }
        setControlAltDelete(restarts: true)
        watchdogs.letGo()
        do throws(Failure) { try root.runInit(log) } catch { return error.description }
    }

    private static let shell = "/bin/sh"

    private func runLastShell() {
        watchdogs.letGo()
        guard isExecutable(RestoreRole.shell) else {
            log.error("there is no shell in this initramfs; mkinitramfs.sh --add puts one in")
            return
        }
        log.notice("running a shell; when it ends, the machine is powered off")
        runShell(on: "/dev/console")
    }

    private func runShell(on console: String) {
        do throws(Failure) { try runOnConsole(RestoreRole.shell, console) } catch { log.error(error.description) }
    }
}
