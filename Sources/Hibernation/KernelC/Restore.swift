// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import Console
import Kexec
import Linux
import MemoryImage
import PhysicalMemory

/// The work of kernel C's child process: restores kernel A's memory from the partition, and loads the jump into it.
struct Restore {
    let parameters: KernelParameters
    let log: KernelLog
    let steps: StepRunner
    let catalog: DeviceCatalog

    init(parameters: KernelParameters, log: KernelLog, steps: StepRunner) {
        self.parameters = parameters
        self.log = log
        self.steps = steps
        catalog = DeviceCatalog(steps.state)
    }

    private var state: ChildState { steps.state }

    func run() throws(Failure) {
        guard let partition = try steps.run(.partition, openPartition) else { return }
        try requireResumeAllowed(partition)
        let reader = try steps.run(.image, readImage, partition)
        let description = reader.description
        let checks = ResumeChecks(description)
        let copies = try openCopies(of: partition)
        try steps.run(.machine, checks.performInKernelC)
        try steps.run(.fingerprints, compareFingerprints, description)
        expectPages(description, partition)
        try steps.run(.attempt, beginAttempt, partition)
        let start = monotonicMilliseconds()
        try steps.run(.pages, restorePages, reader)
        let report = report(of: partition, milliseconds: monotonicMilliseconds() - start)
        try steps.run(.jump, loadJump, checks)
        // Optional: kernel A resumes without a report too.
        _ = steps.attempt(.report, report.deliver(into:), description)
        // Durable before the jump: an image is resumed at most once.
        state.stage = .committing
        try steps.run(.consume, consume, [partition] + copies)
        try steps.end()
        state.stage = .committed
    }

    /// - Returns: the partition with a pending image; nil, with the reason on the console, if there is none.
    private func openPartition() throws(Failure) -> HibernationPartition? {
        let partition = try openPartitionToResume(parameters, seconds: parameters.waitSeconds, catalog)
        guard let partition else {
            log.notice("nothing to resume: there is no hibernation partition\(catalog.missingPartitionPhrase)")
            return nil
        }
        for entry in catalog.hibernationPartitions where entry.path != partition.path {
            if let failure = entry.verdict.failure(entry.path) {
                log.notice("ignoring another hibernation partition: \(failure)")
            }
        }
        // From here on a refusal is about this image, even if the device disappears.
        if partition.superblock.state.isPending { state.imageUUID = partition.superblock.imageUUID }
        return try isPending(partition.superblock, partition.path) ? partition : nil
    }

    /// Whether the partition has an image to resume; logs why if there is none.
    /// - Throws: see `Superblock.isResumable`.
    func isPending(_ superblock: Superblock, _ path: String) throws(Failure) -> Bool {
        if try superblock.isResumable(path, isRetrying: parameters.isRetrying) { return true }
        log.notice("nothing to resume: \(path) holds \(superblock.stateDescription)")
        return false
    }

    private func requireResumeAllowed(_ partition: HibernationPartition) throws(Failure) {
        guard parameters.isResumeForbidden else { return }
        throw Failure("resume", partition.path, "noresume is on the kernel command line")
    }

    private func readImage(_ partition: HibernationPartition) throws(Failure) -> ImageReader {
        let reader = try ImageReader(partition)
        let description = reader.description
        log.debug("entry 0x\(hexadecimal(description.jumpBackEntry)), \(partition.superblock.counts.chunks) chunks")
        log.debug("kernel A had \(describeRanges(description.memoryRanges))")
        return reader
    }

    private func compareFingerprints(_ description: ImageDescription) throws(Failure) {
        try Fingerprints(catalog: catalog, seconds: parameters.watchedDeviceSeconds, state: state)
            .expectUnchanged(description.watchedDevices + description.watchedAreas.map { WatchedDevice($0) })
    }

    /// Sets the totals for the progress, and logs which memory is about to be restored.
    private func expectPages(_ description: ImageDescription, _ partition: HibernationPartition) {
        let size = describe(bytes: description.savedRanges.byteCount)
        log.notice("kernel C: restoring \(size) of \(description.host) (\(description.kernelRelease))")
        state.expectPages(of: partition.superblock)
        // Before the write of `attempted`: if it fails halfway, PID 1 takes the mark back.
        state.stage = .working
    }

    private func beginAttempt(_ partition: HibernationPartition) throws(Failure) {
        try partition.update { $0.beginAttempt() }
    }

    private func restorePages(_ reader: ImageReader) throws(Failure) {
        try RestorePipeline(
            reader, MemoryDevice(), allowed: reader.description.savedRanges, state: state
        ).run()
    }

    private func report(of partition: HibernationPartition, milliseconds: UInt64) -> Report {
        var report = Report()
        report.outcome = .resumed
        report.counts = partition.superblock.counts
        report.restoreMilliseconds = milliseconds
        log.notice(
            "restored and verified \(describe(bytes: report.counts.dataPages &* pageSize)) in "
                + describe(milliseconds: milliseconds))
        return report
    }

    private func loadJump(_ checks: ResumeChecks) throws(Failure) {
        try checks.jumpBack(hasGibibytePages: hasGibibytePages()).load(preservesContext: false)
        if let peak = try? peakMemory() { log.debug("peak memory \(describe(bytes: peak))") }
    }

    /// Marks the image `consumed`, first on its copies.
    /// - Parameter partitions: the partition of the resumed image, then its copies.
    private func consume(_ partitions: [HibernationPartition]) throws(Failure) {
        for copy in partitions.dropFirst() { try copy.retireImage { $0.state = .consumed } }
        try partitions[0].update { superblock in
            superblock.state = .consumed
            superblock.refusals = 0
        }
    }

    /// Opens the other partitions that hold the same pending image, as on a cloned disk: after a resume, no copy may resume.
    /// - Throws: if this partition is an older copy of one that was written later.
    private func openCopies(of partition: HibernationPartition) throws(Failure) -> [HibernationPartition] {
        let own = partition.superblock
        var copies: [HibernationPartition] = []
        try catalog.refresh()
        for entry in catalog.hibernationPartitions where entry.path != partition.path {
            let path = entry.path
            guard entry.verdict.superblock?.uuid == own.uuid else { continue }
            // Read again: the catalog's copy of the superblock may be old.
            let verdict = try HibernationPartition.verdict(path)
            guard let other = verdict.superblock else { continue }
            if let refusal = refusalOfOlderCopy(own, partition.path, other, path) { throw refusal }
            // An unusable copy never resumes, so it needs no mark.
            if case .ours = verdict, other.imageUUID == own.imageUUID, other.state.isPending {
                copies.append(try HibernationPartition(path, .write))
            }
        }
        return copies
    }
}

/// The refusal of a partition that is an older copy of another; nil if it is not older.
func refusalOfOlderCopy(_ own: Superblock, _ path: String, _ other: Superblock, _ otherPath: String) -> Failure? {
    guard other.uuid == own.uuid, other.generation > own.generation else { return nil }
    return Failure(
        "resume", path, "it is an older copy of \(otherPath)",
        remedy: "detach the older copy, or name the newer one with torpor.device=",
        // The session is not lost while the newer copy holds it.
        isFinal: other.imageUUID != own.imageUUID || !other.state.isPending)
}
