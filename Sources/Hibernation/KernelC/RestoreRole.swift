// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import Console
import Kexec
import Linux
import MemoryImage
import PhysicalMemory

/// How a machine came to look for a session.
enum ResumeStart {
    /// The boot loader has started kernel C within the range: /init restores the memory.
    case direct
    /// An ordinary start has ended in kernel C within the range: /init restores the memory; to leave it means to restart.
    case ordinary
    /// An ordinary start, before any file system is mounted: `torpor-resume` starts kernel C.
    case initramfs
}

/// Kernel C: restores kernel A's memory and jumps into it, or takes a fallback if there is nothing to resume.
///
/// Until the jump it changes only RAM that this kernel does not use, and the partition's state, so a refusal costs nothing.
struct RestoreRole {
    let parameters: KernelParameters
    let log: KernelLog
    let commandLine: KernelCommandLine
    let watchdogs: Watchdogs
    let start: ResumeStart

    func run() -> Never {
        var result = resume()
        while let stopped = result, stopped.isStopped {
            decideAfterStop(stopped)
            result = resume()
        }
        guard let refusal = result else { leave(parameters.fallback) }
        log.error("not resuming: \(refusal.reason)")
        // Without an image there is no session to keep.
        if start == .initramfs, refusal.image == nil { leave(parameters.fallback) }
        let session = note(refusal)
        // An ordinary start must not come back to this image.
        if session == .none { leave(parameters.fallback, givingUp: start == .ordinary ? refusal : nil) }
        if refusal.isFinal { leave(parameters.fallback, givingUp: refusal) }
        if parameters.isResumeForbidden { leaveWithoutResume(refusal) }
        decide(refusal, session.refusals)
    }

    /// Restores the memory in a child process, and jumps; returns only if there is no resume.
    /// - Returns: why; nil if there is nothing to resume.
    private func resume() -> ResumeRefusal? {
        let verb = start == .initramfs ? "starting kernel C" : "restoring"
        // In an initramfs this takes a second.
        let persons =
            start == .initramfs
            ? nil : Attendance(stopping: "stop", reason: "a person stopped the resume with", needsImage: true)
        let outcome = runInChild(verb, parameters, log, watchdogs: watchdogs, persons: persons) {
            (state) throws(Failure) in
            let steps = StepRunner(state: state, log: log, fault: parameters.fault)
            if start == .initramfs {
                try SecondStage(parameters: parameters, log: log, commandLine: commandLine, steps: steps).run()
            } else {
                try Restore(parameters: parameters, log: log, steps: steps).run()
            }
        }
        guard outcome.stage == .committed || outcome.stage == .committing && isConsumed(outcome.imageUUID)
        else {
            return outcome.reason.map {
                ResumeRefusal(
                    reason: $0, isFinal: outcome.ending == .failedForGood, isClean: outcome.ending != nil,
                    isStopped: outcome.ending == .stopped, hasAttempted: outcome.stage != .preparing,
                    image: outcome.image)
            }
        }
        log.notice(
            start == .initramfs
                ? "starting kernel C, which resumes the session" : "jumping into kernel A, which continues the session")
        watchdogs.prepareJump()
        defer { watchdogs.continueAfterFailedJump() }
        do throws(Failure) { try jumpToLoadedImage() } catch {
            // If the kernel refuses, it has changed nothing (kernel/kexec_core.c, `kernel_kexec`, Linux 6.12).
            return ResumeRefusal(
                reason: error.description, hasAttempted: start != .initramfs, image: outcome.image,
                consumedImage: start == .initramfs ? nil : outcome.image)
        }
        return ResumeRefusal(
            reason: start == .initramfs
                ? "the jump into kernel C returned" : "the jump into kernel A returned to kernel C",
            isFinal: start != .initramfs, isClean: start == .initramfs,
            image: outcome.image)
    }

    /// Whether the image is marked `consumed` although the child ended before it reported that. The memory is then in place and
    /// the jump is loaded; without the jump the session would be lost.
    private func isConsumed(_ imageUUID: UUID) -> Bool {
        let outcome = runInChild("reading the partition's state", parameters, log, watchdogs: watchdogs) {
            (state) throws(Failure) in
            let catalog = DeviceCatalog(state)
            try catalog.refresh()
            var states: [Superblock.State] = []
            for entry in catalog.usablePartitions where entry.verdict.superblock?.imageUUID == imageUUID {
                // The child may have died between its write and its flush.
                let partition = try HibernationPartition(entry.path)
                try partition.makeDurable()
                states.append(partition.superblock.state)
            }
            // If the disk was cloned, every copy must be marked.
            if states.contains(.consumed), !states.contains(where: { $0.isPending }) { state.stage = .committed }
        }
        return outcome.stage == .committed
    }

    /// Records a refusal on the partition, in a child process.
    func note(_ refusal: ResumeRefusal) -> RefusedSession {
        var quick = parameters
        quick.waitSeconds = 0
        quick.progressTimeoutSeconds = min(parameters.progressTimeoutSeconds, RestoreRole.noteTimeoutSeconds)
        // `noresume` is a person's decision, not a refusal.
        if parameters.isResumeForbidden, !refusal.hasAttempted { return .unknown }
        let outcome = runInChild("recording the refusal", quick, log, watchdogs: watchdogs) { (state) throws(Failure) in
            let partition = try openPartitionToResume(parameters, seconds: 0, DeviceCatalog(state))
            switch try noteRefusal(refusal, on: partition, isRetrying: parameters.isRetrying) {
            case .pending(let refusals): state.answer = UInt64(refusals) << 1 | 1
            case .none: state.answer = RestoreRole.noSession
            case .attempted: state.answer = RestoreRole.attemptedSession
            case .unknown: return
            }
        }
        if let reason = outcome.reason { log.error("cannot record the refusal on the partition: \(reason)") }
        switch outcome.answer {
        case 0: return .unknown
        case RestoreRole.noSession: return .none
        case RestoreRole.attemptedSession: return .attempted
        case let answer: return .pending(refusals: UInt32(truncatingIfNeeded: answer >> 1))
        }
    }

    /// A device that hung while the image was read will hang again. A catalog waits half as long for a device.
    private static let noteTimeoutSeconds = 2 * DeviceCatalog.standardSeconds
    private static let noSession: UInt64 = 2, attemptedSession: UInt64 = 4
}
