import Basics
import Kexec
import Linux
import MemoryImage
import PhysicalMemory

/// Kernel C: puts an image's memory back and jumps into it, or goes on as if there were none.
///
/// Until the jump nothing but RAM that this kernel does not use is changed, and the states of the partition: a refusal
/// costs nothing.
struct RestoreRole {
    let settings: Settings
    let log: KernelLog
    let commandLine: KernelCommandLine

    func run() -> Never {
        if let refusal = resume() { log.error("not resuming: \(refusal)") }
        leave()
    }

    /// - Returns: why there was no resume; nil where there is nothing to resume.
    private func resume() -> String? {
        let outcome = runInChild("restoring", settings, log) { (state) throws(Failure) in
            try Restore(settings: settings, log: log, state: state).run()
        }
        guard outcome.isCommitted else { return outcome.reason }
        log.notice("jumping into kernel A")
        do throws(Failure) { try jumpToLoadedImage() } catch { return error.description }
        return "the jump into kernel A came back"
    }

    /// Takes the fallback; never returns.
    private func leave() -> Never {
        switch settings.fallback {
        case .root:
            log.error("not going on with the root file system: \(goOnWithRoot())")
            // Where there is no root file system to go on with, a person has to look.
            runShell()
            endMachine(log)
        case .shell:
            runShell()
            endMachine(log)
        case .powerOff:
            log.notice("powering off")
            endMachine(log)
        case .reboot:
            log.notice("restarting")
            endMachine(log, restarting: true)
        }
    }

    /// Mounts `root=` and runs its init in this process's place.
    /// - Returns: why that did not work.
    private func goOnWithRoot() -> String {
        let root = RootFileSystem(commandLine)
        // The child mounts for PID 1 as well: they have the same name space.
        let mounting = runInChild("mounting", settings, log) { (state) throws(Failure) in try root.mount(state) }
        if let reason = mounting.reason { return reason }
        do throws(Failure) { try root.runInit(log) } catch { return error.description }
    }

    private func runShell() {
        guard isExecutable("/bin/sh") else {
            log.error("there is no shell in this initramfs; mkinitramfs.sh --add puts one in")
            return
        }
        log.notice("running a shell; when it ends, the machine is powered off")
        do throws(Failure) { try runOnConsole("/bin/sh") } catch { log.error(error.description) }
    }
}

/// The child of kernel C: from the partition to memory that is ready to be jumped into.
struct Restore {
    let settings: Settings
    let log: KernelLog
    let state: ChildState

    func run() throws(Failure) {
        guard let path = try findPartition() else {
            log.notice("nothing to resume: there is no hibernation partition")
            return
        }
        let partition = try HibernationPartition(path, .write)
        guard try isWaiting(partition.superblock, path) else { return }
        do throws(Failure) {
            if settings.isResumeForbidden {
                throw Failure("resume", path, "noresume is on the kernel's command line")
            }
            try resume(partition)
        } catch {
            try keep(partition, error)
            throw error
        }
    }

    /// The partition that is named or, without a name, the only one with an image that waits.
    /// - Returns: nil where none is named and there is none: this machine does not hibernate.
    private func findPartition() throws(Failure) -> String? {
        if let device = settings.device {
            return try findHibernationPartition(device, seconds: settings.waitSeconds)
        }
        let paths = try hibernationPartitions(waiting: settings.waitSeconds)
        let waiting = paths.filter { path in
            guard let state = (try? HibernationPartition(path))?.superblock.state else { return false }
            return state == .ready || state == .attempted
        }
        guard waiting.count < 2 else { throw severalPartitions(waiting) }
        return waiting.first ?? paths.first
    }

    /// Whether there is an image to resume; an attempted one is refused, as it may be what stopped the machine.
    private func isWaiting(_ superblock: Superblock, _ path: String) throws(Failure) -> Bool {
        switch superblock.state {
        case .ready: return true
        case .attempted:
            throw Failure(
                "resume", path,
                "its image was left by an earlier attempt"
                    + (superblock.reason.isEmpty ? "" : " (\(superblock.reason))"),
                remedy: "give that session up with: torpor discard \(path)")
        case .saving, .failed:
            throw Failure("resume", path, "it holds \(superblock.stateDescription)")
        case .empty, .consumed, .snapshot:
            log.notice("nothing to resume: \(path) holds \(superblock.stateDescription)")
            return false
        }
    }

    /// After a refusal: the image stays, and is marked where the fallback is about to make it stale.
    private func keep(_ partition: HibernationPartition, _ refusal: Failure) throws(Failure) {
        let isGoingOn = settings.fallback == .root && partition.superblock.state == .ready
        if isGoingOn || partition.superblock.state == .attempted {
            try partition.update { superblock in
                superblock.state = .attempted
                superblock.reason = refusal.description
            }
        }
    }

    private func resume(_ partition: HibernationPartition) throws(Failure) {
        let reader = try ImageReader(partition)
        let description = reader.description
        state.beat()
        log.debug("entry 0x\(hexadecimal(description.jumpBackEntry)), \(reader.index.entries.count) chunks")
        log.debug("kernel A had \(describeRanges(description.memoryRanges))")
        try ResumeChecks(description).perform()
        for area in description.watchedAreas { try area.expectUnchanged(seconds: settings.waitSeconds, state) }
        let allowed = description.savedRanges
        log.notice(
            "kernel C: restoring \(describe(bytes: allowed.byteCount)) of \(description.host) (\(description.kernelRelease))"
        )
        try partition.update { $0.state = .attempted }

        state.totalPages = allowed.byteCount / pageSize
        state.stage = .working
        let start = monotonicMilliseconds()
        try RestorePipeline(reader, MemoryDevice(), allowed: allowed, state: state).run()
        var report = Report()
        report.outcome = .resumed
        report.counts = partition.superblock.counts
        report.restoreMilliseconds = monotonicMilliseconds() - start
        log.notice("restored and verified in \(describe(milliseconds: report.restoreMilliseconds))")

        try JumpBack(
            entry: description.jumpBackEntry, mapEnd: description.memoryRanges.last?.upperBound ?? 0,
            room: description.backupRanges
        ).load(preservesContext: false)
        if let peak = try? peakMemory() { log.debug("peak memory \(describe(bytes: peak))") }
        do throws(Failure) { try report.deliver(description) } catch { log.error(error.description) }
        // Durable before the jump: an image is resumed at most once.
        try partition.update { $0.state = .consumed }
        state.stage = .committed
    }
}
