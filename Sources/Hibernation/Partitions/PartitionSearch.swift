// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import BlockStore
import Linux
import MemoryImage

extension DeviceCatalog {
    /// A catalog, still empty, whose entries have what tells hibernation partitions.
    /// - Parameter state: is told which device is read.
    convenience init(_ state: ChildState?) {
        self.init(blocksAt: Superblock.slotOffsets) { path in
            state?.activity = "reading \(path)"
            state?.beat()
        }
    }

    /// A catalog of all block devices there are, for `torpor`.
    public static func ofHibernationPartitions() throws(Failure) -> DeviceCatalog {
        let catalog = DeviceCatalog(nil)
        try catalog.refresh()
        return catalog
    }
}

extension DeviceCatalog.Entry {
    /// Whose the device was when it was probed.
    public var verdict: PartitionVerdict {
        PartitionVerdict(path, slots: blocks, content: content.type, byteCount: byteCount)
    }

    /// What the device holds as far as a name can mean it. UUID and label of a hibernation partition are in its superblock,
    /// which libblkid does not know; libblkid knows everything else, and the partition table.
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
    /// The hibernation partitions, the unusable ones too.
    public var hibernationPartitions: [Entry] {
        entries.filter { if case .foreign = $0.verdict { false } else { true } }
    }

    /// Those of them that can be used.
    var usablePartitions: [Entry] { entries.filter { if case .ours = $0.verdict { true } else { false } } }

    /// What may be why there is no hibernation partition: devices that were one, that cannot be read or that do not answer. An
    /// addition to a reason; empty for nothing.
    public var missingPartitionPhrase: String {
        var phrase = ""
        for entry in entries {
            if case .foreign(let content?, wasOurs: true) = entry.verdict {
                phrase += "; \(entry.path) was one, and holds \(content) now"
            }
        }
        return phrase + unansweredPhrase
    }

    /// Waits until there is a hibernation partition, usable or not.
    /// - Parameter seconds: how long.
    func waitForHibernationPartition(seconds: Int) throws(Failure) {
        let start = monotonicMilliseconds()
        while true {
            // Before the look, which may take long: see `wait(for:)`.
            let now = monotonicMilliseconds()
            try refresh()
            if !hibernationPartitions.isEmpty || now - start >= UInt64(seconds) * 1000 { return }
            sleep(milliseconds: 20)
        }
    }
}

/// The path of the hibernation partition that is meant: the named one or, without a name, the only one there is. Of
/// copies with the same name, as a cloned disk has one, the one that was written last counts.
/// - Parameter naming: how the caller is told a name, for the remedy: `--device`.
/// - Throws: if there is none, if several are meant, if it did not answer, and, without a name, if none can be used: why.
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
            // Opening another system's device tells what it is.
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

/// The path of the partition whose image is to be resumed: the one that is named or, without a name, the only one with an
/// image that waits.
/// - Returns: nil if none is named and there is none: this machine does not hibernate.
/// - Throws: if no image waits, but a partition cannot be used, or there is none but a disk on which nobody can look: one
///   may be there.
func findPartitionToResume(_ parameters: KernelParameters, seconds: Int, _ catalog: DeviceCatalog) throws(Failure)
    -> String?
{
    let naming = Parameter.device.option
    if let device = parameters.device {
        return try findHibernationPartition(device, seconds: seconds, catalog, naming: naming)
    }
    try catalog.waitForHibernationPartition(seconds: seconds)
    var waiting: [DeviceCatalog.Entry] = []
    for entry in catalog.usablePartitions {
        guard let superblock = entry.verdict.superblock, superblock.state.isPending else { continue }
        // Copies of one image are one image, and the one that was written last tells what became of it.
        if let number = waiting.firstIndex(where: { $0.verdict.superblock?.imageUUID == superblock.imageUUID }) {
            if let newer = newest([waiting[number], entry]) { waiting[number] = newer }
            continue
        }
        waiting.append(entry)
    }
    guard waiting.count < 2 else { throw severalPartitions(waiting.map { $0.path }, naming: naming) }
    if let entry = waiting.first { return entry.path }
    if let failure = catalog.hibernationPartitions.compactMap({ $0.verdict.failure($0.path) }).first { throw failure }
    if let entry = catalog.usablePartitions.first { return entry.path }
    guard catalog.hidden.isEmpty else {
        throw Failure(
            "find", "the hibernation partition", "there is none\(catalog.missingPartitionPhrase)",
            remedy: "name it with torpor.device=, so that other devices do not matter")
    }
    return nil
}

/// The device whose superblock was written last, of several that have the same; the first of those that are alike.
private func newest(_ entries: [DeviceCatalog.Entry]) -> DeviceCatalog.Entry? {
    var result: DeviceCatalog.Entry?
    for entry in entries {
        let generation = entry.verdict.superblock?.generation ?? 0
        if let best = result, generation <= best.verdict.superblock?.generation ?? 0 { continue }
        result = entry
    }
    return result
}

/// The refusal to choose between partitions.
/// - Parameter name: what all of them are called.
func severalPartitions(
    _ paths: [String], naming: String, _ name: String = "the hibernation partition"
) -> Failure {
    Failure(
        "find", name, "there are several: \(paths.joined(separator: ", "))", remedy: "name one with \(naming)")
}

/// The path of the device that is to be formatted.
/// - Throws: if the name means none, or several: nothing may be destroyed by mistake.
public func findDeviceToFormat(_ name: DeviceName, _ catalog: DeviceCatalog) throws(Failure) -> String {
    let paths = try catalog.wait(for: name, seconds: 0, content: { $0.namedContent })
    if paths.count > 1 { throw severalPartitions(paths, naming: "its path", name.description) }
    try catalog.requireAnswer(from: paths[0])
    return paths[0]
}
