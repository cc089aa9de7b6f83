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
        var wayHome = "loaded"
        do throws(Failure) { try loadWayHome() } catch {
            wayHome = error.description
            log.error("no way back into kernel A: \(wayHome)")
        }
        let failure = save()
        if let failure {
            log.error("the memory was not saved: \(failure.text)")
        } else if settings.after != .return {
            log.notice(settings.after == .reboot ? "restarting" : "powering off")
            endMachine(log, restarting: settings.after == .reboot)
        }
        deliverReport(failure)
        log.notice("jumping back into kernel A")
        do throws(Failure) { try jumpToLoadedImage() } catch {
            log.error("\(error.description); \(wayHome)")
        }
        // Nothing is left to try: with the image complete, the next boot resumes it.
        endMachine(log)
    }

    /// Loads the jump into kernel A. It needs no more than the memory that this kernel has itself, so it works where
    /// nothing else of kernel A can be seen.
    private func loadWayHome() throws(Failure) {
        let own = systemMemory(try parseIOMemory(readText("/proc/iomem")))
        try JumpBack(entry: entry, mapEnd: max(entry + (1 << 30), own.last?.upperBound ?? 0), room: own)
            .load(preservesContext: true)
    }

    private struct SaveFailure {
        var text: String
    }

    private func save() -> SaveFailure? {
        let state: ChildState
        do throws(Failure) { state = try ChildState() } catch { return SaveFailure(text: error.description) }
        let watch = ChildWatch(
            state: state, log: log, verb: "saving", patienceSeconds: settings.waitSeconds + hangSeconds)
        let reason = watch.run { () throws(Failure) in
            try Save(settings: settings, log: log, entry: entry, session: session, state: state).run()
        }
        // What the child wrote before its end counts, not how it ended: a complete image is complete.
        if state.stage == .committed {
            let counts = state.counts
            log.notice(
                "saved \(describe(bytes: counts.dataPages * pageSize)) in \(describe(bytes: counts.storedBytes)), "
                    + describe(milliseconds: counts.milliseconds))
            return nil
        }
        return SaveFailure(text: reason ?? "the process saving ended before its work was done")
    }

    private func deliverReport(_ failure: SaveFailure?) {
        do throws(Failure) {
            var report = Report()
            report.outcome = failure == nil ? .snapshot : .failed
            report.text = failure?.text ?? ""
            let core = try CoreFile("/proc/vmcore")
            var description = try describeSession(core, session)
            description.backupSources = (try? findBackupPages(core, description, entry: entry))?.sources ?? []
            if failure == nil, let partition = try? openPartition(settings, []) {
                report.counts = partition.superblock.counts
            }
            try report.deliver(description)
        } catch { log.error("no report for kernel A: \(error.description)") }
    }
}

/// Seconds without a sign of life after which a child is taken for hung.
let hangSeconds = 120

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
        let pageMap = try findBackupPages(core, description, entry: entry)
        description.backupSources = pageMap.sources

        let partition = try openPartition(settings, [.write, .exclusive])
        state.beat()
        try requireNoWaitingImage(partition.superblock, partition.path)
        let ranges = description.memoryRanges.subtracting(description.backupRanges)
        let pages = ranges.byteCount / pageSize
        log.notice("saving \(describe(bytes: ranges.byteCount)) to \(partition.path) with \(settings.codec.description)")
        state.totalPages = pages
        state.stage = .working

        guard let imageUUID = UUID(random: try randomBytes(16)) else { throw Failure("make", "a UUID", "too few bytes") }
        let start = monotonicMilliseconds()
        let writer = try ImageWriter(
            partition, imageUUID: imageUUID, codec: settings.codec,
            expectedChunks: Int(clamping: pages / UInt64(ChunkHeader.maximumDataPages) + 64))
        do throws(Failure) {
            try SavePipeline(core, writer, ranges: ranges, state: state).run()
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
    let controlPage = entry & ~(pageSize - 1)
    return try BackupPageMap(
        controlPage: try core.copy(controlPage..<controlPage + pageSize), backupRanges: description.backupRanges
    ) { (address) throws(Failure) in try core.copy(address..<address + pageSize) }
}
