import Basics
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
    /// The superblock that counts, as it was when the device was probed; nil if it has none.
    var superblock: Superblock? {
        blocks.compactMap { try? Superblock(decoding: $0) }.max { $0.generation < $1.generation }
    }

    /// What the device holds as far as a name can mean it. UUID and label of a hibernation partition are in its superblock,
    /// which libblkid does not know; libblkid knows the partition table.
    var namedContent: BlockDeviceContent {
        var content = content
        if let superblock {
            content.uuid = superblock.uuid.description
            content.label = superblock.label
        }
        return content
    }
}

/// The paths of all hibernation partitions in a catalog.
public func hibernationPartitions(_ catalog: DeviceCatalog) -> [String] {
    catalog.entries.filter { $0.superblock != nil }.map { $0.path }
}

/// The paths of all hibernation partitions, as soon as there is one.
/// - Parameter seconds: how long to wait for one to appear.
func hibernationPartitions(waiting seconds: Int, _ catalog: DeviceCatalog) throws(Failure) -> [String] {
    let start = monotonicMilliseconds()
    while true {
        try catalog.refresh()
        let paths = hibernationPartitions(catalog)
        if !paths.isEmpty || monotonicMilliseconds() - start >= UInt64(seconds) * 1000 { return paths }
        sleep(milliseconds: 20)
    }
}

/// The path of the hibernation partition that is meant: the named one or, without a name, the only one there is. Of
/// copies with the same name, as a cloned disk has one, the one that was written last counts.
public func findHibernationPartition(
    _ name: DeviceName?, seconds: Int, _ catalog: DeviceCatalog
) throws(Failure) -> String {
    if let name {
        func generation(_ path: String) -> UInt64 { (try? HibernationPartition(path))?.superblock.generation ?? 0 }
        let paths = try catalog.wait(for: name, seconds: seconds, content: { $0.namedContent })
        if paths.count == 1 { return paths[0] }
        return paths.max { generation($0) < generation($1) } ?? paths[0]
    }
    let paths = try hibernationPartitions(waiting: seconds, catalog)
    guard let path = paths.first else {
        throw Failure(
            "find", "the hibernation partition", "there is none\(catalog.unansweredPhrase)",
            remedy: "make one with: torpor format DEVICE")
    }
    guard paths.count == 1 else { throw severalPartitions(paths) }
    return path
}

/// The path of the partition whose image is to be resumed: the one that is named or, without a name, the only one with an
/// image that waits.
/// - Returns: nil where none is named and there is none: this machine does not hibernate.
func findPartitionToResume(_ settings: Settings, seconds: Int, _ catalog: DeviceCatalog) throws(Failure) -> String? {
    if let device = settings.device { return try findHibernationPartition(device, seconds: seconds, catalog) }
    let paths = try hibernationPartitions(waiting: seconds, catalog)
    var waiting: [HibernationPartition] = []
    for path in paths {
        guard let partition = try? HibernationPartition(path), partition.superblock.state.isWaiting else { continue }
        // Copies of one image are one image, and the one that was written last tells what became of it.
        if let number = waiting.firstIndex(where: { $0.superblock.imageUUID == partition.superblock.imageUUID }) {
            if waiting[number].superblock.generation < partition.superblock.generation { waiting[number] = partition }
            continue
        }
        waiting.append(partition)
    }
    guard waiting.count < 2 else { throw severalPartitions(waiting.map { $0.path }) }
    return waiting.first?.path ?? paths.first
}

/// The refusal to choose between partitions.
func severalPartitions(_ paths: [String]) -> Failure {
    Failure(
        "find", "the hibernation partition", "there are several: \(paths.joined(separator: ", "))",
        remedy: "name one with --device or torpor.device=")
}

extension Superblock {
    /// What the partition holds, as a phrase.
    public var stateDescription: String {
        switch state {
        case .empty: "no image"
        case .saving: "an image that was not completed"
        case .ready: "an image that waits for its resume"
        case .attempted: "an image whose resume was attempted"
        case .consumed: "an image that was resumed"
        case .failed: "an image that could not be completed"
        case .snapshot: "a snapshot"
        }
    }
}
