// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import Console
import ELF
import Linux
import MemoryImage
import PhysicalMemory

/// The child of kernel B: from /proc/vmcore to a complete image.
struct Save {
    let parameters: KernelParameters
    let log: KernelLog
    let entry: UInt64
    let session: UUID
    let steps: StepRunner
    let catalog: DeviceCatalog

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
        var (core, description) = try steps.run(.session, readSession)
        let checks = ResumeChecks(description)
        // Before anything else: what this kernel has of its own may be kernel A's.
        try steps.run(.ownMemory) { () throws(Failure) in
            try checks.requireOwnMemoryInBackup(systemMemory(readIOMemory()))
        }
        try steps.run(.machine) { () throws(Failure) in try checks.performInKernelB() }
        description.backupSources = backupSources(core, description)
        let backup = describeRanges(description.backupRanges)
        log.debug("entry 0x\(hexadecimal(entry)); \(description.backupSources.count) pages backed up of \(backup)")
        log.debug("/proc/vmcore has \(describeRanges(core.segments.map { $0.addresses }))")

        let partition = try steps.run(.partition) { () throws(Failure) in try usablePartition(description) }
        description.watchedDevices = try steps.run(.fingerprints) { () throws(Failure) in
            try Fingerprints(catalog: catalog, seconds: parameters.watchedDeviceSeconds, state: state)
                .taken(description.watchedDevices)
        }
        let ranges = description.savedRanges
        let pages = ranges.byteCount / pageSize
        let windows = SavePipeline.windows(ranges)
        let selection = try selectPages(core, description, windows)
        let leftOut = (selection?.freePages ?? 0) &+ (selection?.unreadablePages ?? 0)
        let used = (pages - min(pages, leftOut)) * pageSize
        log.notice("saving \(describe(bytes: used)) to \(partition.path) with \(parameters.codec.description)")
        state.totalPages = used / pageSize
        state.stage = .working

        let start = monotonicMilliseconds()
        let writer = try steps.run(.begin) { () throws(Failure) in
            guard let imageUUID = UUID(random: try randomBytes(16)) else {
                throw Failure("make", "a UUID", "too few bytes")
            }
            return try ImageWriter(partition, imageUUID: imageUUID, codec: parameters.codec) { [state] end in
                state.note(contentsEnd: end)
            }
        }
        do throws(Failure) {
            try steps.run(.pages) { () throws(Failure) in
                try SavePipeline(core, writer, windows: windows, selection: selection, state: state).run()
            }
            state.stage = .committing
            try steps.run(.finish) { () throws(Failure) in
                try writer.finish(description, state: parameters.after == .return ? .snapshot : .ready) {
                    monotonicMilliseconds() - start
                }
            }
        } catch {
            // The partition should tell as well; where it cannot even be written, kernel A still gets the report.
            try? writer.fail(error.description)
            throw error
        }
        if let peak = try? peakMemory() { log.debug("peak memory \(describe(bytes: peak))") }
        try steps.run(.end) {}
        state.counts = partition.superblock.counts
        state.stage = .committed
    }

    private func readSession() throws(Failure) -> (CoreFile, ImageDescription) {
        let core = try CoreFile("/proc/vmcore")
        var description = try describeSession(core, session)
        description.jumpBackEntry = entry
        description.vmcoreInfo = try core.note(named: VMCoreInfo.noteName) ?? []
        return (core, description)
    }

    /// Where kernel A's pages below N are; nothing where that cannot be told. Resuming does not need it: without it, free
    /// pages are saved too, and others cannot read the image as memory.
    private func backupSources(_ core: CoreFile, _ description: ImageDescription) -> [UInt64] {
        do throws(Failure) {
            return try steps.run(.pageMap) { () throws(Failure) in
                try findBackupPages(core, description, entry: entry).sources
            }
        } catch {
            log.error(error.description)
            return []
        }
    }

    /// The partition, where an image may be written to it.
    private func usablePartition(_ description: ImageDescription) throws(Failure) -> HibernationPartition {
        let partition = try openPartition(parameters, [.write, .exclusive], catalog)
        try requireNoPendingImage(partition.superblock, partition.path)
        try requireUnchanged(partition.superblock, description, partition.path)
        return partition
    }

    /// Finds the pages that are left out; nil, with the reason on the console, if all pages have to be saved.
    /// - Throws: if kernel A has pages that must not be read and they cannot be told from others.
    private func selectPages(
        _ core: CoreFile, _ description: ImageDescription, _ windows: [PhysicalRange]
    ) throws(Failure) -> FreePageFilter? {
        let info = VMCoreInfo(description.vmcoreInfo)
        let pageMap = BackupPageMap(sources: description.backupSources)
        let memory = try? KernelMemory(core, backupRanges: description.backupRanges, pageMap: pageMap, info: info)
        var note: MemoryNote?
        if let memory { note = try? ReportPage.memoryNote(in: memory, description) }
        do throws(Failure) {
            let selection = try steps.run(.freePages) { () throws(Failure) in
                let memory = try KernelMemory(
                    core, backupRanges: description.backupRanges, pageMap: pageMap, info: info)
                return try FreePageFilter(
                    memory, PageMarks(memory, info: info), windows: windows, expected: note?.free,
                    whileCounting: state.beat)
            }
            tell(selection, note)
            return selection
        } catch {
            let unreadable = note?.unreadablePages ?? 0
            guard unreadable == 0 else {
                throw Failure(
                    "save", "kernel A's memory",
                    "\(describe(bytes: unreadable &* pageSize)) of it must not be read, and cannot be told from the rest "
                        + "(\(error))")
            }
            log.notice("saving free pages too: \(error.description)")
            return nil
        }
    }

    private func tell(_ selection: FreePageFilter, _ note: MemoryNote?) {
        if selection.unreadablePages > 0 {
            let size = describe(bytes: selection.unreadablePages &* pageSize)
            log.notice("leaving out \(size) that must not be read")
        }
        if let problem = selection.freeProblem {
            log.notice("saving free pages too: \(problem.description)")
            return
        }
        let counted = note?.free ?? FreePageCount(free: 0, kept: 0)
        log.debug("\(selection.freePages) pages are free; kernel A counted \(counted.free), and kept \(counted.kept)")
        let size = describe(bytes: selection.freePages &* pageSize)
        log.notice("leaving out \(size) of free pages" + (selection.keepsZeros ? ", to come back as zeros" : ""))
    }
}
