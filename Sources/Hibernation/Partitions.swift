import Basics
import Linux
import MemoryImage

/// What a device holds as far as a name can mean it. UUID and label of a hibernation partition are in its superblock, which
/// libblkid does not know; libblkid knows the partition table.
private func content(_ path: String, asFarAs name: DeviceName) throws(Failure) -> BlockDeviceContent {
    switch name {
    case .partitionUUID, .partitionLabel: return try probeContent(path)
    case .path, .uuid, .label:
        let superblock = try HibernationPartition(path).superblock
        var content = BlockDeviceContent()
        content.uuid = superblock.uuid.description
        content.label = superblock.label
        return content
    }
}

/// The paths of all hibernation partitions.
public func hibernationPartitions() throws(Failure) -> [String] {
    try blockDevicePaths().filter { (try? HibernationPartition($0)) != nil }
}

/// The paths of all hibernation partitions, as soon as there is one.
/// - Parameter seconds: how long to wait for one to appear.
func hibernationPartitions(waiting seconds: Int) throws(Failure) -> [String] {
    let start = monotonicMilliseconds()
    while true {
        let paths = try hibernationPartitions()
        if !paths.isEmpty || monotonicMilliseconds() - start >= UInt64(seconds) * 1000 { return paths }
        sleep(milliseconds: 20)
    }
}

/// The path of the hibernation partition that is meant: the named one or, without a name, the only one there is.
public func findHibernationPartition(_ name: DeviceName?, seconds: Int) throws(Failure) -> String {
    if let name {
        return try waitForDevice(
            name, seconds: seconds, content: { (path) throws(Failure) in try content(path, asFarAs: name) })
    }
    let paths = try hibernationPartitions(waiting: seconds)
    guard let path = paths.first else {
        throw Failure(
            "find", "the hibernation partition", "there is none", remedy: "make one with: torpor format DEVICE")
    }
    guard paths.count == 1 else { throw severalPartitions(paths) }
    return path
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
