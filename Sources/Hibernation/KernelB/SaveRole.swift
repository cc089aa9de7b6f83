// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import Console
import Kexec
import Linux
import MemoryImage
import PhysicalMemory

/// Kernel B: saves kernel A's memory, then powers off or jumps back.
///
/// Any failure before the image is complete ends in the jump back into A, with the reason in A's report.
struct SaveRole {
    var parameters: KernelParameters
    let log: KernelLog
    /// Physical address at which kernel A continues.
    let entry: UInt64
    let session: UUID
    /// Why a kernel module of the initramfs was not loaded; nil if nothing is wrong. Kernel C would have the same trouble.
    let moduleFailure: String?

    func run() -> Never {
        log.notice("kernel B: saving the session \(session.description)")
        // First, because a watchdog that kernel A armed is already counting down. If this kernel hangs, only a watchdog can
        // restart the machine; the session is lost then, as it is if a person switches the machine off.
        let watchdogs = Watchdogs.inKernelB(parameters.watchdogs, log)
        // Loaded before any work, while memory is free and nothing has failed.
        let isJumpBackLoaded = prepareJumpBack(parameters.fault, watchdogs)
        let report = moduleFailure.map { failureReport($0) } ?? save(watchdogs)
        let failure = report.outcome == .failed ? report.text : nil
        if let failure {
            log.error("the memory was not saved: \(failure)")
        } else if parameters.after != .return, !parameters.isRehearsal {
            log.notice(
                parameters.after == .reboot
                    ? "restarting; the next start continues the session"
                    : "powering off; switch the machine on to continue the session")
            watchdogs.disarm()
            endMachine(log, restarting: parameters.after == .reboot)
        }
        write(report, watchdogs)
        jumpBack(isLoaded: isJumpBackLoaded, watchdogs)
        if parameters.isRehearsal {
            saveForReal(watchdogs)
        } else if failure == nil {
            keepSnapshot(watchdogs)
        }
        // Nothing is left to try. If the image is complete, the next boot resumes it.
        log.error(
            "cannot jump back into kernel A; powering off; "
                + (failure == nil ? "switch the machine on to continue the session" : "the session is lost"))
        watchdogs.disarm()
        endMachine(log)
    }

    /// Writes the report into kernel A's memory, in a child process.
    private func write(_ report: Report, _ watchdogs: Watchdogs) {
        let outcome = runInChild("reporting", parameters, log, watchdogs: watchdogs) { (state) throws(Failure) in
            try StepRunner(state: state, log: log, fault: parameters.fault).run(.report) { () throws(Failure) in
                try deliver(report)
            }
        }
        if let reason = outcome.reason { log.error("cannot write the report for kernel A: \(reason)") }
    }

    /// Minutes for which the jump is retried: the kernel refuses it while a process waits for a device that does not answer
    /// (kernel/kexec_core.c, `kernel_kexec`; kernel/power/process.c, `freeze_processes`).
    private static let jumpMinutes: UInt64 = 10

    /// Jumps into kernel A; returns only if no attempt succeeds.
    private func jumpBack(isLoaded: Bool, _ watchdogs: Watchdogs) {
        let start = monotonicMilliseconds()
        var isLoaded = isLoaded
        repeat {
            // Retry: the load may have failed for a transient reason.
            if !isLoaded { isLoaded = prepareJumpBack(nil, watchdogs) }
            log.notice("jumping back into kernel A; the session goes on")
            watchdogs.prepareJump()
            do throws(Failure) { try jumpToLoadedImage() } catch { log.error(error.description) }
            watchdogs.continueAfterFailedJump()
            watchdogs.wait(milliseconds: 2000)
        } while monotonicMilliseconds() - start < SaveRole.jumpMinutes * 60_000
    }

    /// Marks the snapshot `ready`: the jump back failed, so only a resume can continue its session.
    private func keepSnapshot(_ watchdogs: Watchdogs) {
        let outcome = runInChild("keeping the snapshot", parameters, log, watchdogs: watchdogs) {
            (state) throws(Failure) in
            let partition = try openNamedPartition(parameters, .write, DeviceCatalog(state))
            if partition.superblock.state == .snapshot { try partition.update { $0.state = .ready } }
        }
        if let reason = outcome.reason { log.error("cannot mark the snapshot as ready to resume: \(reason)") }
    }

    /// Saves the memory after a rehearsal from which no jump leads back: only a resume can continue the session.
    private func saveForReal(_ watchdogs: Watchdogs) {
        log.error("cannot jump back from the rehearsal: saving the memory")
        var copy = self
        copy.parameters.isRehearsal = false
        copy.parameters.after = .powerOff
        let report = copy.save(watchdogs)
        if report.outcome == .failed { log.error("the memory was not saved: \(report.text)") }
    }

    /// A report of a failure.
    private func failureReport(_ failure: String, contentsEnd: UInt64 = 0) -> Report {
        var report = Report()
        report.outcome = .failed
        report.text = failure
        report.contentsEnd = contentsEnd
        return report
    }

    /// Saves kernel A's memory, or rehearses that, in a child process.
    private func save(_ watchdogs: Watchdogs) -> Report {
        let persons = Attendance(stopping: "give up", reason: "a person gave up the save with")
        let outcome = runInChild("saving", parameters, log, watchdogs: watchdogs, persons: persons) {
            (state) throws(Failure) in
            let steps = StepRunner(state: state, log: log, fault: parameters.fault)
            try Save(parameters: parameters, log: log, entry: entry, session: session, steps: steps).run()
        }
        guard outcome.stage == .committed else {
            return failureReport(
                outcome.reason ?? "saving: the child process ended before its work was done",
                contentsEnd: parameters.isRehearsal ? 0 : outcome.contentsEnd)
        }
        log.notice(
            (parameters.isRehearsal ? "rehearsed: " : "saved ")
                + "\(describe(bytes: outcome.counts.dataPages &* pageSize)) in "
                + "\(describe(bytes: outcome.counts.storedBytes)), \(describe(milliseconds: outcome.counts.milliseconds))"
        )
        var report = Report()
        report.outcome = parameters.isRehearsal ? .rehearsed : .snapshot
        report.counts = outcome.counts
        report.startMilliseconds = outcome.startMilliseconds
        report.contentsEnd = parameters.isRehearsal ? 0 : outcome.contentsEnd
        return report
    }

    /// Loads the jump back, in a child process.
    /// - Returns: whether it is loaded.
    private func prepareJumpBack(_ fault: Fault?, _ watchdogs: Watchdogs) -> Bool {
        let outcome = runInChild("loading the jump back", parameters, log, watchdogs: watchdogs) {
            (state) throws(Failure) in
            try StepRunner(state: state, log: log, fault: fault).run(.jumpBack, loadJumpBack)
        }
        if let reason = outcome.reason { log.error("cannot load the jump back into kernel A: \(reason)") }
        return outcome.reason == nil
    }

    /// Loads the jump into kernel A. It needs only this kernel's own memory and the entry, so it works even if /proc/vmcore
    /// cannot be read.
    private func loadJumpBack() throws(Failure) {
        let own = systemMemory(try readIOMemory())
        // Kernel A switches to its own page tables within the page of the entry.
        let (mapEnd, overflow) = entry.addingReportingOverflow(1 << 30)
        guard !overflow else {
            throw Failure("prepare", "the jump to 0x\(hexadecimal(entry))", "the address is too large")
        }
        let jump = try JumpBack(
            entry: entry, mapEnd: max(mapEnd, own.last?.upperBound ?? 0), available: own,
            hasGibibytePages: hasGibibytePages())
        do throws(Failure) { try jump.load(preservesContext: true) } catch {
            guard error.errno == ErrorNumber.invalid else { throw error }
            // A kernel without CONFIG_KEXEC_JUMP rejects KEXEC_PRESERVE_CONTEXT (6.12, include/linux/kexec.h, `KEXEC_FLAGS`).
            // An ordinary kexec reaches the same entry, as kernel C's does; but nothing can return to this kernel then.
            try jump.load(preservesContext: false)
        }
    }

    private func deliver(_ report: Report) throws(Failure) {
        do throws(Failure) {
            let core = try CoreFile("/proc/vmcore")
            var description = try SessionNote.read(core, session)
            description.backupSources = (try? findBackupPages(core, description, entry: entry))?.sources ?? []
            try report.deliver(into: description)
        } catch {
            // Without kernel A's description, a page above N can still be found by its address.
            guard let page = parameters.reportPage else { throw error }
            try report.deliver(to: page)
        }
    }
}
