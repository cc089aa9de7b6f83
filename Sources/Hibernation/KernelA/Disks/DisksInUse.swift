// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import Linux
import MemoryImage

/// What kernel A has on disks: what the boot loader may write to is given up for the time of the jump, everything else is
/// watched.
struct DisksInUse {
    /// What is compared before the resume.
    let watched: [WatchedDevice]
    private let efiPartitions: EFIPartitions
    private let catalog: DeviceCatalog
    private let uses: [DeviceUse]
    private let excluded: Set<DeviceNumber>
    private let isUnwatchedAllowed: Bool

    /// Looks at everything that is in use; nothing is changed.
    /// - Parameters:
    ///   - path: the hibernation partition, which kernel B has to find as well.
    ///   - kernelPath: kernel B, if it is another kernel than the running one.
    ///   - isUnwatchedAllowed: whether what cannot be watched is left out, with a warning.
    init(
        _ catalog: DeviceCatalog, partition path: String, kernelPath: String?, isUnwatchedAllowed: Bool,
        _ findings: inout Findings
    ) throws(Failure) {
        self.catalog = catalog
        self.isUnwatchedAllowed = isUnwatchedAllowed
        efiPartitions = try EFIPartitions(catalog)
        do throws(Failure) { try efiPartitions.requireUnused() } catch {
            guard isUnwatchedAllowed else { throw error }
            findings.warn(DisksInUse.staleness(error))
        }
        let isRunningKernel = kernelPath == nil
        let b = KernelBDevices()
        var excluded = efiPartitions.devices
        if let partition = DeviceNumber(path: path) {
            excluded.insert(partition)
            try b.requirePresent(partition, path, use: "the hibernation partition", isRunningKernel: isRunningKernel)
        }
        var found = try WatchedDevices(catalog, excluded: excluded, isUnwatchedAllowed: isUnwatchedAllowed, &findings)
        try found.leaveOutMissing(&findings) { (disk) throws(Failure) in
            try b.requirePresent(
                disk, try deviceNode(disk), use: "which this system uses", isRunningKernel: isRunningKernel)
        }
        if let kernelPath {
            findings.warn(
                "whether \(kernelPath) has the drivers of the disks in use is not known",
                remedy: "compare its configuration")
        }
        self.excluded = excluded
        watched = found.devices
        uses = found.uses
    }

    /// Unmounts what the boot loader may write to, just before the jump.
    /// - Returns: whether it has to be mounted again.
    func giveUpEFIPartitions(_ findings: inout Findings) throws(Failure) -> Bool {
        do throws(Failure) { try efiPartitions.unmount() } catch {
            guard isUnwatchedAllowed else { throw error }
            findings.warn(DisksInUse.staleness(error))
            return false
        }
        return true
    }

    /// Mounts again what was unmounted, as soon as kernel A goes on.
    func mountEFIPartitions(_ tell: (String) -> Void) {
        for problem in efiPartitions.restore() { tell("warning: \(problem)") }
    }

    /// What keeps kernel A from jumping now although it was ready before, as a refusal; nil if nothing does. Another look at
    /// everything may mend it: what has come into use would not be watched, and a file system that was unmounted is mounted again.
    /// - Parameter isUnmounted: whether the EFI system partitions were given up.
    func newUse(isUnmounted: Bool) throws(Failure) -> Failure? {
        if !isUnwatchedAllowed,
            let failure = try WatchedDevices.newUse(since: uses, catalog, excluded: excluded)
        {
            return failure
        }
        return isUnmounted ? try efiPartitions.newUse() : nil
    }

    private static func staleness(_ failure: Failure) -> String {
        "\(failure.operand), stays mounted, and is stale if it does: \(failure.reason)"
    }
}
