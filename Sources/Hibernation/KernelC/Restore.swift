// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import Console
import Kexec
import Linux
import MemoryImage
import PhysicalMemory

/// The child of kernel C: from the partition to memory that is ready to be jumped into.
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
        guard let partition = try steps.run(.partition, findPartition) else { return }
        if parameters.isResumeForbidden {
            throw Failure("resume", partition.path, "noresume is on the kernel's command line")
        }
        try resume(partition)
    }

    /// - Returns: the partition whose image is to be resumed; nil, with the reason on the console, where there is none.
    private func findPartition() throws(Failure) -> HibernationPartition? {
        guard let path = try findPartitionToResume(parameters, seconds: parameters.waitSeconds, catalog) else {
            log.notice("nothing to resume: there is no hibernation partition\(catalog.missingPartitionPhrase)")
            return nil
        }
        for entry in catalog.hibernationPartitions where entry.path != path {
            if let failure = entry.verdict.failure(entry.path) { log.notice("not looked at: \(failure)") }
        }
        let partition = try HibernationPartition(path, .write)
        // From here on a refusal is about this image, whatever becomes of the device.
        if partition.superblock.state.isPending { state.imageUUID = partition.superblock.imageUUID }
        return try isPending(partition.superblock, path) ? partition : nil
    }

    /// Whether there is an image to resume.
    /// - Throws: of an attempted one, which may be what stopped the machine: a person may want it tried again.
    func isPending(_ superblock: Superblock, _ path: String) throws(Failure) -> Bool {
        switch superblock.state {
        case .ready: return true
        case .attempted where parameters.isRetrying: return true
        case .attempted:
            throw Failure(
                "resume", path,
                "its image was left by an earlier attempt"
                    + (superblock.reason.isEmpty ? "" : " (\(superblock.reason))"),
                remedy: "try it again with torpor.retry, or give that session up with: torpor discard \(path)",
                isFinal: superblock.isGivenUp)
        case .saving, .failed:
            throw Failure("resume", path, "it holds \(superblock.stateDescription)", isFinal: true)
        case .empty, .consumed, .snapshot:
            log.notice("nothing to resume: \(path) holds \(superblock.stateDescription)")
            return false
        }
    }

    private func resume(_ partition: HibernationPartition) throws(Failure) {
        let reader = try steps.run(.image) { () throws(Failure) in try ImageReader(partition) }
        let description = reader.description
        log.debug("entry 0x\(hexadecimal(description.jumpBackEntry)), \(partition.superblock.counts.chunks) chunks")
        log.debug("kernel A had \(describeRanges(description.memoryRanges))")
        let copies = try copies(of: partition)
        try steps.run(.machine) { () throws(Failure) in try ResumeChecks(description).perform() }
        try steps.run(.fingerprints) { () throws(Failure) in
            try Fingerprints(catalog: catalog, seconds: parameters.watchedDeviceSeconds, state: state)
                .expectUnchanged(
                    description.watchedDevices + description.watchedAreas.map { WatchedDevice($0) })
        }
        let allowed = description.savedRanges
        log.notice(
            "kernel C: restoring \(describe(bytes: allowed.byteCount)) of \(description.host) (\(description.kernelRelease))"
        )
        state.expectPages(of: partition.superblock)
        // Before the write: PID 1 takes back what a failed write may have left.
        state.stage = .working
        try steps.run(.attempt) { () throws(Failure) in try partition.update { $0.beginAttempt() } }

        let start = monotonicMilliseconds()
        try steps.run(.pages) { () throws(Failure) in
            try RestorePipeline(reader, MemoryDevice(), allowed: allowed, state: state).run()
        }
        var report = Report()
        report.outcome = .resumed
        report.counts = partition.superblock.counts
        report.restoreMilliseconds = monotonicMilliseconds() - start
        log.notice("restored and verified in \(describe(milliseconds: report.restoreMilliseconds))")

        try steps.run(.jump) { () throws(Failure) in
            try JumpBack(
                entry: description.jumpBackEntry, mapEnd: description.memoryRanges.last?.upperBound ?? 0,
                room: description.backupRanges, hasGibibytePages: hasGibibytePages()
            ).load(preservesContext: false)
        }
        if let peak = try? peakMemory() { log.debug("peak memory \(describe(bytes: peak))") }
        do throws(Failure) {
            try steps.run(.report) { () throws(Failure) in try report.deliver(description) }
        } catch { log.error(error.description) }
        // Durable before the jump: an image is resumed at most once.
        state.stage = .committing
        try steps.run(.consume) { () throws(Failure) in
            for copy in copies { try copy.retireImage { $0.state = .consumed } }
            try partition.update { superblock in
                superblock.state = .consumed
                superblock.refusals = 0
            }
        }
        try steps.run(.end) {}
        state.stage = .committed
    }

    /// Other partitions that hold the same image and wait with it, as a cloned disk does: what is resumed from one of them
    /// is not resumed from another.
    /// - Throws: where this partition is itself an older copy of one that went on.
    private func copies(of partition: HibernationPartition) throws(Failure) -> [HibernationPartition] {
        let own = partition.superblock
        var copies: [HibernationPartition] = []
        try catalog.refresh()
        for entry in catalog.hibernationPartitions where entry.path != partition.path {
            let path = entry.path
            guard entry.verdict.superblock?.uuid == own.uuid else { continue }
            // As it is now.
            let verdict = try HibernationPartition.verdict(path)
            guard let other = verdict.superblock else { continue }
            if let refusal = refusalOfOlderCopy(own, partition.path, other, path) { throw refusal }
            // A copy that cannot be used is not resumed either.
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
        remedy: "take the older one away, or name the other with torpor.device=",
        // The session is not lost while the newer copy still holds it.
        isFinal: other.imageUUID != own.imageUUID || !other.state.isPending)
}
