// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import Console
import ELF
import Linux
import MemoryImage
import PhysicalMemory

/// The work of kernel B's child process: saves /proc/vmcore as a complete image.
struct Save {
    let parameters: KernelParameters
    let log: KernelLog
    let entry: UInt64
    let session: UUID
    let steps: StepRunner
    let catalog: DeviceCatalog

    /// Kernel A as kernel B sees it.
    struct Source {
        let core: CoreFile
        var description: ImageDescription
    }

    init(parameters: KernelParameters, log: KernelLog, entry: UInt64, session: UUID, steps: StepRunner) {
        self.parameters = parameters
        self.log = log
        self.entry = entry
        self.session = session
        self.steps = steps
        catalog = DeviceCatalog(steps.state)
    }

    private var state: ChildState { steps.state }

    func run() throws(Failure) {
        var source = try steps.run(.session, readSession)
        let checks = ResumeChecks(source.description)
        // First: kernel B's own memory may be kernel A's by mistake.
        try steps.run(.ownMemory, checks.checkOwnMemory)
        try steps.run(.machine, checks.performInKernelB)
        // Optional: without the page map, free pages are saved too, and other programs cannot read the image as memory.
        source.description.backupSources = steps.attempt(.pageMap, findBackupSources, source) ?? []
        let partition = try steps.run(.partition, openPartition, source.description)
        source.description.watchedDevices = try steps.run(.fingerprints, takeFingerprints, source.description)
        let ranges = SavePipeline.saveRanges(source.description.savedRanges)
        let filter = try filterFreePages(source, ranges)
        expectPages(source.description, filter, partition)
        let start = monotonicMilliseconds()
        state.startMilliseconds = start
        let writer = try steps.run(.begin, beginImage, partition)
        do throws(Failure) {
            let pipeline = SavePipeline(source.core, writer, ranges: ranges, filter: filter, state: state)
            try steps.run(.pages, pipeline.run)
            state.stage = .committing
            try steps.run(.finish) { () throws(Failure) in
                try writer.finish(source.description, state: parameters.after == .return ? .snapshot : .ready) {
                    monotonicMilliseconds() - start
                }
            }
        } catch {
            // The reason goes to the partition as well; if that fails, kernel A still gets the report.
            try? writer.fail(error.description)
            throw error
        }
        if let peak = try? peakMemory() { log.debug("peak memory \(describe(bytes: peak))") }
        try steps.end()
        state.counts = partition.superblock.counts
        state.stage = .committed
    }

    private func readSession() throws(Failure) -> Source {
        let core = try CoreFile("/proc/vmcore")
        var description = try SessionNote.read(core, session)
        description.jumpBackEntry = entry
        description.vmcoreInfo = try core.note(named: VMCoreInfo.noteName) ?? []
        log.debug("/proc/vmcore has \(describeRanges(core.segments.map { $0.addresses }))")
        return Source(core: core, description: description)
    }

    private func findBackupSources(_ source: Source) throws(Failure) -> [UInt64] {
        let sources = try findBackupPages(source.core, source.description, entry: entry).sources
        let backup = describeRanges(source.description.backupRanges)
        log.debug("entry 0x\(hexadecimal(entry)); \(sources.count) pages backed up of \(backup)")
        return sources
    }

    private func openPartition(_ description: ImageDescription) throws(Failure) -> HibernationPartition {
        let partition =
            try parameters.isRehearsal
            ? openPartitionForTrial(parameters, catalog)
            : openNamedPartition(parameters, [.write, .exclusive], catalog)
        try requireNoPendingImage(partition.superblock, partition.path)
        try requireUnchanged(partition.superblock, description, partition.path)
        return partition
    }

    private func takeFingerprints(_ description: ImageDescription) throws(Failure) -> [WatchedDevice] {
        try Fingerprints(catalog: catalog, seconds: parameters.watchedDeviceSeconds, state: state)
            .taken(description.watchedDevices)
    }

    private func beginImage(_ partition: HibernationPartition) throws(Failure) -> ImageWriter {
        guard let imageUUID = UUID(random: try randomBytes(16)) else {
            throw Failure("make", "a UUID", "the kernel returned too few random bytes")
        }
        return try ImageWriter(partition, imageUUID: imageUUID, codec: parameters.codec) { [state] end in
            state.note(contentsEnd: end)
        }
    }

    /// Finds the pages to leave out.
    /// - Returns: nil, with the reason on the console, if all pages are saved.
    /// - Throws: if kernel A has pages that must not be read and kernel B cannot find them.
    private func filterFreePages(_ source: Source, _ ranges: [PhysicalRange]) throws(Failure) -> FreePageFilter? {
        let description = source.description
        let info = VMCoreInfo(description.vmcoreInfo)
        let pageMap = BackupPageMap(sources: description.backupSources)
        func memory() throws(Failure) -> KernelMemory {
            try KernelMemory(source.core, backupRanges: description.backupRanges, pageMap: pageMap, info: info)
        }
        var note: MemoryNote?
        if let memory = try? memory() { note = try? ReportPage.memoryNote(in: memory, description) }
        do throws(Failure) {
            let filter = try steps.run(.freePages) { () throws(Failure) in
                let memory = try memory()
                return try FreePageFilter(
                    memory, PageMarks(memory, info: info), ranges: ranges, expected: note?.free,
                    whileCounting: state.beat)
            }
            logFilter(filter, note)
            return filter
        } catch {
            let unreadable = note?.unreadablePages ?? 0
            guard unreadable == 0 else {
                throw Failure(
                    "save", "kernel A's memory",
                    "\(describe(bytes: unreadable &* pageSize)) of it must not be read, but kernel B cannot find these pages "
                        + "(\(error))")
            }
            log.notice("saving free pages too: \(error.description)")
            return nil
        }
    }

    private func logFilter(_ filter: FreePageFilter, _ note: MemoryNote?) {
        if filter.unreadablePages > 0 {
            log.notice(
                "leaving out \(describe(bytes: filter.unreadablePages &* pageSize)) of memory that must not be read")
        }
        if let problem = filter.freeProblem {
            log.notice("saving free pages too: \(problem.description)")
            return
        }
        let counted = note?.free ?? FreePageCount(free: 0, onCPULists: 0)
        log.debug(
            "\(filter.freePages) pages are free; kernel A counted \(counted.free), and \(counted.onCPULists) on per-CPU lists"
        )
        let size = describe(bytes: filter.freePages &* pageSize)
        log.notice("leaving out \(size) of free pages" + (filter.keepsZeros ? ", to be restored as zeros" : ""))
    }

    /// Sets the total for the progress, and logs how much is about to be saved.
    private func expectPages(
        _ description: ImageDescription, _ filter: FreePageFilter?, _ partition: HibernationPartition
    ) {
        let pages = description.savedRanges.byteCount / pageSize
        let leftOut = (filter?.freePages ?? 0) &+ (filter?.unreadablePages ?? 0)
        state.totalPages = pages - min(pages, leftOut)
        let size = describe(bytes: state.totalPages &* pageSize)
        log.notice(
            (parameters.isRehearsal ? "rehearsing without a write: " : "")
                + "saving \(size) to \(partition.path) with \(parameters.codec.description)")
        state.stage = .working
    }
}
