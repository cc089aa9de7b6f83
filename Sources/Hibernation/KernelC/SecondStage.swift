// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import Console
import Kexec
import Linux
import MemoryImage

/// The work of `torpor-resume` in the initramfs of an ordinary start, with any kernel and all memory: loads the kernel and the
/// rootfs.gz of the partition below N. That kernel is then kernel C, and restores the image.
///
/// Until the jump it changes nothing but a counter on the partition.
struct SecondStage {
    let parameters: KernelParameters
    let log: KernelLog
    let commandLine: KernelCommandLine
    let steps: StepRunner
    let catalog: DeviceCatalog

    init(parameters: KernelParameters, log: KernelLog, commandLine: KernelCommandLine, steps: StepRunner) {
        self.parameters = parameters
        self.log = log
        self.commandLine = commandLine
        self.steps = steps
        catalog = DeviceCatalog(steps.state)
    }

    private var state: ChildState { steps.state }

    func run() throws(Failure) {
        guard let path = try steps.run(.partition, findPendingImage) else { return }
        let partition = try HibernationPartition(path, .write)
        guard try isWanted(partition) else { return }
        let description = try steps.run(.image, readDescription, partition)
        let map = try requireFirmwareMemoryMap()
        try steps.run(.machine, ResumeChecks(description).performInInitramfs, map)
        let files = try steps.run(.bootFiles, readBootFiles, partition)
        try steps.run(.load) { () throws(Failure) in try load(files, description, map) }
        try steps.run(.start, countStart, partition)
        try steps.end()
        state.stage = .committed
    }

    /// - Returns: the path of the partition with an image to resume; nil if there is none. A machine without a session starts
    ///   as if Torpor were not there, so the reason is only a detail.
    private func findPendingImage() throws(Failure) -> String? {
        guard let path = try findPartitionToResume(parameters, seconds: parameters.waitSeconds, catalog) else {
            log.debug("nothing to resume: there is no hibernation partition\(catalog.missingPartitionPhrase)")
            return nil
        }
        let verdict = try HibernationPartition.verdict(path)
        guard case .ours(let superblock, _) = verdict else { throw verdict.failure(path) ?? Failure("open", path, "") }
        guard superblock.state.isPending else {
            log.debug("nothing to resume: \(path) holds \(superblock.stateDescription)")
            return nil
        }
        // From here on a refusal is about this image, even if the device disappears.
        state.imageUUID = superblock.imageUUID
        if superblock.isGivenUp {
            log.notice("not resuming: \(path) holds \(superblock.stateDescription); to drop it: torpor discard \(path)")
            return nil
        }
        return path
    }

    /// Whether this start resumes the image.
    private func isWanted(_ partition: HibernationPartition) throws(Failure) -> Bool {
        let superblock = partition.superblock
        if superblock.isResumePostponed {
            // This start only.
            try partition.update { $0.isResumePostponed = false }
            log.notice("not resuming in this start: \(superblock.reason)")
            return false
        }
        return try superblock.isResumable(partition.path, isRetrying: parameters.isRetrying)
    }

    private func readDescription(_ partition: HibernationPartition) throws(Failure) -> ImageDescription {
        guard partition.superblock.unansweredStarts == 0 else {
            throw Failure(
                "resume", partition.path,
                "kernel C was started for it, and came to an end before it opened the partition",
                remedy: "look at the console during that start, and start kernel C directly: torpor boot-entry")
        }
        return try ImageReader(partition).description
    }

    private func readBootFiles(_ partition: HibernationPartition) throws(Failure) -> BootFiles {
        if let files = try partition.readBootFiles() { return files }
        throw Failure(
            "resume", partition.path, "it keeps no kernel and no rootfs.gz to continue with",
            remedy: "start kernel C directly, with the parameters that torpor check prints")
    }

    private func load(_ files: BootFiles, _ description: ImageDescription, _ map: [FirmwareRange]) throws(Failure) {
        let kernel = try BzImage(files.kernel, path: "the kernel of the hibernation partition")
        let ownParameters = (try? readFile("/sys/kernel/boot_params/data")) ?? []
        let payload = KexecPayload(
            kernelC: kernel, initrd: files.initrd,
            commandLine: SecondStageCommandLine(parameters: files.parameters, own: commandLine).text,
            in: description.backupRanges, memoryMap: map.map { E820Entry($0) },
            rsdp: findRSDP(ownParameters, systab: (try? readText("/sys/firmware/efi/systab")) ?? ""),
            ownBootParameters: ownParameters)
        log.notice("continuing the session of \(description.host) with kernel \(kernel.release)")
        try LoadPlan(payload).load(preservesContext: false)
    }

    private func countStart(_ partition: HibernationPartition) throws(Failure) {
        try partition.update { $0.unansweredStarts += 1 }
    }
}
