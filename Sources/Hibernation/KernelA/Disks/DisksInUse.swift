// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import Linux
import MemoryImage

/// The block devices that kernel A uses. Before the jump, kernel A unmounts the file systems that the boot loader may write to.
/// All other devices are watched: kernel C compares them before the resume.
struct DisksInUse {
    /// The devices that kernel C compares.
    let watched: [WatchedDevice]
    private let efiPartitions: EFIPartitions
    private let catalog: DeviceCatalog
    private let uses: [DeviceUse]
    private let excluded: Set<DeviceNumber>
    private let isUnwatchedAllowed: Bool

    /// Finds all devices in use. Changes nothing.
    /// - Parameters:
    ///   - path: the hibernation partition, which kernel B must find as well.
    ///   - builtIn: what is built into kernel B.
    ///   - isUnwatchedAllowed: whether a device that cannot be watched causes a warning instead of a refusal.
    /// - Throws: if a device cannot be watched or unmounted, or if kernel B does not have it.
    init(
        _ catalog: DeviceCatalog, partition path: String, _ builtIn: KernelBDevices.BuiltIn, modules: ModuleList,
        isUnwatchedAllowed: Bool, _ findings: inout Findings
    ) throws(Failure) {
        self.catalog = catalog
        self.isUnwatchedAllowed = isUnwatchedAllowed
        efiPartitions = try EFIPartitions(catalog)
        do throws(Failure) { try efiPartitions.requireUnused() } catch {
            guard isUnwatchedAllowed else { throw error }
            findings.warn(DisksInUse.warning(error))
        }
        let b = KernelBDevices(modules: modules, builtIn: builtIn)
        var excluded = efiPartitions.devices
        if let partition = DeviceNumber(path: path) {
            excluded.insert(partition)
            try b.requirePresent(partition, path, use: "the hibernation partition")
        }
        var found = try WatchedDevices(catalog, excluded: excluded, isUnwatchedAllowed: isUnwatchedAllowed, &findings)
        try found.leaveOutMissing(&findings) { (disk) throws(Failure) in
            try b.requirePresent(disk, try deviceNode(disk), use: "which this system uses")
        }
        self.excluded = excluded
        watched = found.devices
        uses = found.uses
    }

    /// Unmounts the file systems that the boot loader may write to. To be called just before the jump.
    /// - Returns: whether they have to be mounted again.
    func unmountEFIPartitions(_ findings: inout Findings) throws(Failure) -> Bool {
        do throws(Failure) { try efiPartitions.unmount() } catch {
            guard isUnwatchedAllowed else { throw error }
            findings.warn(DisksInUse.warning(error))
            return false
        }
        return true
    }

    /// Mounts the file systems again. To be called as soon as kernel A runs again.
    func mountEFIPartitions(_ log: (String) -> Void) {
        for problem in efiPartitions.restore() { log("warning: \(problem)") }
    }

    /// A refusal if kernel A must not jump because of a new use: a device came into use and would not be watched, or an
    /// unmounted file system was mounted again. It is nil if there is none. A new preparation may remove the reason.
    /// - Parameter isUnmounted: whether the EFI system partitions are unmounted.
    func newUse(isUnmounted: Bool) throws(Failure) -> Failure? {
        if !isUnwatchedAllowed,
            let failure = try WatchedDevices.newUse(since: uses, catalog, excluded: excluded)
        {
            return failure
        }
        return isUnmounted ? try efiPartitions.newUse() : nil
    }

    /// The warning if a file system stays mounted that should be unmounted.
    private static func warning(_ failure: Failure) -> String {
        "\(failure.operand), stays mounted (\(failure.reason)): after the resume, this system will not see the boot loader's "
            + "changes"
    }
}
