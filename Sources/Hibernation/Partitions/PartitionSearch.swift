// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import BlockStore
import Linux
import MemoryImage

extension DeviceCatalog {
    /// Makes an empty catalog whose entries contain the superblocks of hibernation partitions.
    /// - Parameter state: records which device is being read, and each read as progress; nil for neither.
    convenience init(_ state: ChildState?) {
        self.init(blocksAt: Superblock.slotOffsets) { path in
            state?.activity = "reading \(path)"
            state?.beat()
        }
    }

    /// Makes a catalog of all block devices, for `torpor`.
    public static func ofHibernationPartitions() throws(Failure) -> DeviceCatalog {
        let catalog = DeviceCatalog(nil)
        try catalog.refresh()
        return catalog
    }
}

extension DeviceCatalog.Entry {
    /// The verdict about the device when it was probed.
    public var verdict: PartitionVerdict {
        PartitionVerdict(path, slots: blocks, content: content.type, byteCount: byteCount)
    }

    /// The device's names. The UUID and label of a hibernation partition are in its superblock, which libblkid does not know;
    /// all other names, and those in the partition table, are from libblkid.
    public var namedContent: BlockDeviceContent {
        var content = content
        if let superblock = verdict.superblock {
            content.uuid = superblock.uuid.description
            content.label = superblock.label
        }
        return content
    }
}

extension DeviceCatalog {
    /// The hibernation partitions, including the unusable ones.
    public var hibernationPartitions: [Entry] {
        entries.filter { if case .foreign = $0.verdict { false } else { true } }
    }

    /// The hibernation partitions that can be used.
    var usablePartitions: [Entry] { entries.filter { if case .ours = $0.verdict { true } else { false } } }

    /// Possible reasons for a missing hibernation partition: devices that were one, cannot be read or do not answer. A phrase
    /// to append to a reason, with its separator; empty if there are none.
    public var missingPartitionPhrase: String {
        var phrase = ""
        for entry in entries {
            if case .foreign(let content?, wasOurs: true) = entry.verdict {
                phrase += "; \(entry.path) was a hibernation partition, but holds \(content) now"
            }
        }
        return phrase + unansweredPhrase
    }

    /// Waits until there is a hibernation partition, usable or not, or until the time is over.
    func waitForHibernationPartition(seconds: Int) throws(Failure) {
        let start = monotonicMilliseconds()
        while true {
            // Before the search, which may take long: see `wait(for:)`.
            let now = monotonicMilliseconds()
            try refresh()
            if !hibernationPartitions.isEmpty || now - start >= UInt64(seconds) * 1000 { return }
            sleep(milliseconds: 20)
        }
    }
}

/// Finds a hibernation partition: the named one; without a name, the only one. If a disk was cloned, copies have the same name,
/// and the one that was written last counts.
/// - Parameters:
///   - seconds: time to wait for it.
///   - naming: the option that names a partition, for the remedy: `--device`.
/// - Returns: its path.
/// - Throws: if there is none, if there are several, or if it did not answer. Without a name, also if none can be used, with
///   the reason.
public func findHibernationPartition(
    _ name: DeviceName?, seconds: Int, _ catalog: DeviceCatalog, naming: String
) throws(Failure) -> String {
    let path = try choosePartition(name, seconds: seconds, catalog, naming: naming)
    try catalog.requireAnswer(from: path)
    return path
}

private func choosePartition(
    _ name: DeviceName?, seconds: Int, _ catalog: DeviceCatalog, naming: String
) throws(Failure) -> String {
    if let name {
        let paths = try catalog.wait(for: name, seconds: seconds, content: { $0.namedContent })
        if paths.count == 1 { return paths[0] }
        let named = catalog.hibernationPartitions.filter { paths.contains($0.path) }
        guard named.contains(where: { $0.verdict.superblock?.uuid != named[0].verdict.superblock?.uuid }) else {
            // If none of them is a hibernation partition, opening the first one fails and names its content.
            return newest(named)?.path ?? paths[0]
        }
        throw severalPartitions(named.map { $0.path }, naming: naming, name.description)
    }
    try catalog.waitForHibernationPartition(seconds: seconds)
    let usable = catalog.usablePartitions
    if usable.count > 1 { throw severalPartitions(usable.map { $0.path }, naming: naming) }
    if let entry = usable.first { return entry.path }
    if let failure = catalog.hibernationPartitions.compactMap({ $0.verdict.failure($0.path) }).first { throw failure }
    if let failure = catalog.permissionFailure { throw failure }
    throw Failure(
        "find", "the hibernation partition", "there is none\(catalog.missingPartitionPhrase)",
        remedy: "make one with: torpor format DEVICE")
}

/// Finds the partition to resume from: the named one; without a name, the only one with a pending image.
/// - Parameter seconds: time to wait for it.
/// - Returns: its path; the path of a partition without a pending image if that is all there is; nil if none is named and there
///   is none: this machine does not hibernate.
/// - Throws: without a name, if there is no pending image but a partition that cannot be used, or no partition but a device
///   that cannot be read: it may hold the session.
func findPartitionToResume(_ parameters: KernelParameters, seconds: Int, _ catalog: DeviceCatalog) throws(Failure)
    -> String?
{
    let naming = Parameter.device.option
    if let device = parameters.device {
        return try findHibernationPartition(device, seconds: seconds, catalog, naming: naming)
    }
    try catalog.waitForHibernationPartition(seconds: seconds)
    var pending: [DeviceCatalog.Entry] = []
    for entry in catalog.usablePartitions {
        guard let superblock = entry.verdict.superblock, superblock.state.isPending else { continue }
        // Copies of one image count as one. The copy that was written last has its present state.
        if let number = pending.firstIndex(where: { $0.verdict.superblock?.imageUUID == superblock.imageUUID }) {
            if let newer = newest([pending[number], entry]) { pending[number] = newer }
            continue
        }
        pending.append(entry)
    }
    guard pending.count < 2 else { throw severalPartitions(pending.map { $0.path }, naming: naming) }
    if let entry = pending.first { return entry.path }
    if let failure = catalog.hibernationPartitions.compactMap({ $0.verdict.failure($0.path) }).first { throw failure }
    if let entry = catalog.usablePartitions.first { return entry.path }
    guard catalog.hidden.isEmpty else {
        throw Failure(
            "find", "the hibernation partition", "there is none\(catalog.missingPartitionPhrase)",
            remedy: "name it with torpor.device=; then all other devices are ignored")
    }
    return nil
}

/// The device with the highest generation of the superblock; the first one of several with the same.
private func newest(_ entries: [DeviceCatalog.Entry]) -> DeviceCatalog.Entry? {
    var result: DeviceCatalog.Entry?
    for entry in entries {
        let generation = entry.verdict.superblock?.generation ?? 0
        if let best = result, generation <= best.verdict.superblock?.generation ?? 0 { continue }
        result = entry
    }
    return result
}

/// The refusal to choose one of several partitions.
/// - Parameters:
///   - naming: the option that names a partition, for the remedy.
///   - name: the name that all of them match.
func severalPartitions(
    _ paths: [String], naming: String, _ name: String = "the hibernation partition"
) -> Failure {
    Failure(
        "find", name, "there are several: \(paths.joined(separator: ", "))", remedy: "name one with \(naming)")
}

/// Finds the device to format.
/// - Returns: its path.
/// - Throws: if the name matches no device, or several: nothing may be destroyed by mistake.
public func findDeviceToFormat(_ name: DeviceName, _ catalog: DeviceCatalog) throws(Failure) -> String {
    let paths = try catalog.wait(for: name, seconds: 0, content: { $0.namedContent })
    if paths.count > 1 { throw severalPartitions(paths, naming: "its path", name.description) }
    try catalog.requireAnswer(from: paths[0])
    return paths[0]
}
