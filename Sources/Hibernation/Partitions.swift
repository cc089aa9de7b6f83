import Basics
import Linux
import MemoryImage

/// What a block device holds as far as a name can mean it; a hibernation partition's UUID and label are in its
/// superblock, which libblkid does not know.
func contentForNames(_ path: String) throws(Failure) -> BlockDeviceContent {
    var content = (try? probeContent(path)) ?? BlockDeviceContent()
    if let partition = try? HibernationPartition(path) {
        content.uuid = partition.superblock.uuid.description
        content.label = partition.superblock.label
    }
    return content
}

/// The paths of all hibernation partitions.
public func hibernationPartitions() throws(Failure) -> [String] {
    try blockDevicePaths().filter { (try? HibernationPartition($0)) != nil }
}

/// The path of the hibernation partition that is meant: the named one or, without a name, the only one there is.
public func findHibernationPartition(_ name: DeviceName?, seconds: Int) throws(Failure) -> String {
    if let name { return try waitForDevice(name, seconds: seconds, content: contentForNames) }
    let deadline = monotonicMilliseconds() + UInt64(seconds) * 1000
    while true {
        let paths = try hibernationPartitions()
        if paths.count == 1 { return paths[0] }
        guard paths.isEmpty else {
            throw Failure(
                "find", "the hibernation partition", "there are several: \(paths.joined(separator: ", "))",
                remedy: "name one with --device or torpor.device=")
        }
        if monotonicMilliseconds() >= deadline {
            throw Failure(
                "find", "the hibernation partition", "there is none", remedy: "make one with: torpor format DEVICE")
        }
        sleep(milliseconds: 20)
    }
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
