import Basics
import Kexec
import Linux
import MemoryImage
import PhysicalMemory

/// Kernel B: saves kernel A's memory, then powers off or jumps back.
///
/// Whatever fails before the image is complete ends in the jump back into A, with the reason in A's report.
struct SaveRole {
    let settings: Settings
    let log: KernelLog
    /// Physical address at which kernel A goes on.
    let entry: UInt64
    let session: UUID

    func run() -> Never {
        log.notice("kernel B: saving the session \(session.description)")
        // The way home is prepared first, while there is memory and nothing has happened.
        let wayHome = runInChild("preparing the way back", settings, log) { (_) throws(Failure) in try loadWayHome() }
        if let reason = wayHome.reason { log.error("no way back into kernel A: \(reason)") }
        // Nobody but the machine itself can end a kernel that hangs. Its session is lost then, as it is when a person
        // switches the machine off.
        var watchdog = Watchdog(seconds: SaveRole.watchdogSeconds)
        if let watchdog { log.debug("the watchdog restarts the machine after \(watchdog.seconds) s without a word") }
        let failure = save(watchdog)
        watchdog?.disarm()
        watchdog = nil
        if let failure {
            log.error("the memory was not saved: \(failure)")
        } else if settings.after != .return {
            log.notice(settings.after == .reboot ? "restarting" : "powering off")
            endMachine(log, restarting: settings.after == .reboot)
        }
        let report = runInChild("reporting", settings, log) { (_) throws(Failure) in try deliverReport(failure) }
        if let reason = report.reason { log.error("no report for kernel A: \(reason)") }
        jumpBack()
    }

    private static let watchdogSeconds = 60

    /// Minutes for which the jump is tried again: the kernel refuses it while a process waits for a device that does not
    /// answer (kernel/kexec_core.c, `kernel_kexec`; kernel/power/process.c, `freeze_processes`).
    private static let jumpMinutes: UInt64 = 10

    private func jumpBack() -> Never {
        let start = monotonicMilliseconds()
        repeat {
            log.notice("jumping back into kernel A")
            do throws(Failure) { try jumpToLoadedImage() } catch { log.error(error.description) }
            sleep(milliseconds: 2000)
        } while monotonicMilliseconds() - start < SaveRole.jumpMinutes * 60_000
        // Nothing is left to try: with the image complete, the next boot resumes it.
        endMachine(log)
    }

    /// - Returns: why the memory was not saved; nil where it was.
    private func save(_ watchdog: Watchdog?) -> String? {
        let outcome = runInChild("saving", settings, log, watchdog: watchdog) { (state) throws(Failure) in
            try Save(settings: settings, log: log, entry: entry, session: session, state: state).run()
        }
        guard outcome.isCommitted else { return outcome.reason ?? "the process saving ended before its work was done" }
        log.notice(
            "saved \(describe(bytes: outcome.counts.dataPages &* pageSize)) in "
                + "\(describe(bytes: outcome.counts.storedBytes)), \(describe(milliseconds: outcome.counts.milliseconds))"
        )
        return nil
    }

    /// Loads the jump into kernel A. It needs no more than the memory that this kernel has itself, so it works where
    /// nothing else of kernel A can be seen.
    private func loadWayHome() throws(Failure) {
        let own = systemMemory(try parseIOMemory(readText("/proc/iomem")))
        // Kernel A's page tables take over within the page of the entry.
        let (mapEnd, overflow) = entry.addingReportingOverflow(1 << 30)
        guard !overflow else {
            throw Failure("prepare", "the jump to 0x\(hexadecimal(entry))", "there is no such address")
        }
        try JumpBack(entry: entry, mapEnd: max(mapEnd, own.last?.upperBound ?? 0), room: own)
            .load(preservesContext: true)
    }

    private func deliverReport(_ failure: String?) throws(Failure) {
        var report = Report()
        report.outcome = failure == nil ? .snapshot : .failed
        report.text = failure ?? ""
        let core = try CoreFile("/proc/vmcore")
        var description = try describeSession(core, session)
        description.backupSources = (try? findBackupPages(core, description, entry: entry))?.sources ?? []
        if failure == nil, let partition = try? openPartition(settings, []) {
            report.counts = partition.superblock.counts
        }
        try report.deliver(description)
    }
}

/// The child of kernel B: from /proc/vmcore to a complete image.
struct Save {
    let settings: Settings
    let log: KernelLog
    let entry: UInt64
    let session: UUID
    let state: ChildState

    func run() throws(Failure) {
        let core = try CoreFile("/proc/vmcore")
        var description = try describeSession(core, session)
        description.jumpBackEntry = entry
        description.vmcoreInfo = try core.note(named: VMCoreInfo.noteName) ?? []
        // Resuming does not need it: without it, free pages are saved too, and others cannot read the image as memory.
        do throws(Failure) {
            description.backupSources = try findBackupPages(core, description, entry: entry).sources
        } catch { log.error(error.description) }

        let backup = describeRanges(description.backupRanges)
        log.debug("entry 0x\(hexadecimal(entry)); \(description.backupSources.count) pages backed up of \(backup)")
        log.debug("/proc/vmcore has \(describeRanges(core.segments.map { $0.addresses }))")

        let partition = try openPartition(settings, [.write, .exclusive])
        state.beat()
        try requireNoWaitingImage(partition.superblock, partition.path)
        try requireUnchanged(partition.superblock, description, partition.path)
        for number in description.watchedAreas.indices {
            description.watchedAreas[number] = try description.watchedAreas[number].fingerprinted(
                seconds: settings.waitSeconds, state)
        }
        let ranges = description.savedRanges
        let pages = ranges.byteCount / pageSize
        let windows = SavePipeline.windows(ranges)
        let selection = selectPages(core, description, windows)
        state.beat()
        let used = (pages - min(pages, selection?.freePages ?? 0)) * pageSize
        log.notice("saving \(describe(bytes: used)) to \(partition.path) with \(settings.codec.description)")
        state.totalPages = pages
        state.stage = .working

        guard let imageUUID = UUID(random: try randomBytes(16)) else {
            throw Failure("make", "a UUID", "too few bytes")
        }
        let start = monotonicMilliseconds()
        let writer = try ImageWriter(
            partition, imageUUID: imageUUID, codec: settings.codec,
            expectedChunks: Int(clamping: pages / UInt64(ChunkHeader.maximumDataPages) + 64))
        do throws(Failure) {
            try SavePipeline(core, writer, windows: windows, selection: selection, state: state).run()
            state.beat()
            try writer.finish(description, state: settings.after == .return ? .snapshot : .ready) {
                monotonicMilliseconds() - start
            }
        } catch {
            // The partition should tell as well; where it cannot even be written, kernel A still gets the report.
            try? writer.fail(error.description)
            throw error
        }
        state.counts = partition.superblock.counts
        state.stage = .committed
        if let peak = try? peakMemory() { log.debug("peak memory \(describe(bytes: peak))") }
    }
}

extension Save {
    /// Finds the free pages; nil, with the reason on the console, where all pages have to be saved.
    private func selectPages(
        _ core: CoreFile, _ description: ImageDescription, _ windows: [AddressRange]
    ) -> PageSelection? {
        do throws(Failure) {
            let info = VMCoreInfo(description.vmcoreInfo)
            let pageMap = BackupPageMap(sources: description.backupSources)
            let memory = try KernelMemory(core, backupRanges: description.backupRanges, pageMap: pageMap, info: info)
            let expected = try ReportPage.freePageCount(in: memory, description)
            let selection = try PageSelection(core, FreePages(memory, info: info), windows: windows, expected: expected)
            log.notice("leaving out \(describe(bytes: selection.freePages &* pageSize)) of free pages")
            return selection
        } catch {
            log.notice("saving free pages too: \(error.description)")
            return nil
        }
    }
}

/// The partition that `torpor.device=` names.
func openPartition(_ settings: Settings, _ options: File.Options) throws(Failure) -> HibernationPartition {
    let path = try findHibernationPartition(settings.device, seconds: settings.waitSeconds)
    return try HibernationPartition(path, options)
}

/// An image that was never resumed is a session: it is not written over.
func requireNoWaitingImage(_ superblock: Superblock, _ path: String) throws(Failure) {
    if superblock.state == .ready || superblock.state == .attempted {
        throw Failure(
            "write", path, "it holds \(superblock.stateDescription)",
            remedy: "give that session up with: torpor discard \(path)")
    }
}

/// Kernel A looked at the partition: a superblock that somebody wrote since is not what it checked.
func requireUnchanged(_ superblock: Superblock, _ description: ImageDescription, _ path: String) throws(Failure) {
    guard superblock.uuid == description.partitionUUID else { return }
    if superblock.generation != description.partitionGeneration {
        throw Failure("write", path, "it has changed since kernel A looked at it", remedy: "try again")
    }
}

/// Ranges of physical addresses, for the log.
func describeRanges(_ ranges: [AddressRange]) -> String { ranges.map { hexadecimal($0) }.joined(separator: " ") }

/// What kernel A wrote down of its session, from the note in the ELF core header that it made.
func describeSession(_ core: CoreFile, _ session: UUID) throws(Failure) -> ImageDescription {
    guard let note = try core.note(named: sessionNoteName) else {
        throw Failure("read", "/proc/vmcore", "kernel A's description of the session is not there")
    }
    let description = try ImageDescription(decoding: note)
    guard description.session == session else {
        throw Failure("read", "/proc/vmcore", "it belongs to the session \(description.session.description)")
    }
    return description
}

/// The name of the ELF note that carries an `ImageDescription` from kernel A to kernel B.
let sessionNoteName = "Torpor"

/// Where kernel A's pages below N are, from the list beside its jump-back entry.
func findBackupPages(
    _ core: CoreFile, _ description: ImageDescription, entry: UInt64
) throws(Failure) -> BackupPageMap {
    // Both the entry and the addresses in the list are numbers that somebody else has written.
    return try BackupPageMap(
        controlPage: try core.copyPage(at: entry & ~(pageSize - 1)), backupRanges: description.backupRanges
    ) { (address) throws(Failure) in try core.copyPage(at: address) }
}
