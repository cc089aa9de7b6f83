import ArgumentParser
import Basics
import Hibernation
import Linux
import MemoryImage

struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Read a whole image and verify its checksums; nothing is changed.")

    @Argument(help: "The hibernation partition. (default: the only one)")
    var device: DeviceName?

    func run() throws {
        let path = try findHibernationPartition(
            device, seconds: 0, DeviceCatalog.ofHibernationPartitions(), naming: "torpor verify DEVICE")
        let partition = try HibernationPartition(path)
        guard partition.superblock.descriptionExtent.byteCount > 0 else {
            throw Failure("verify", path, "it holds \(partition.superblock.stateDescription)")
        }
        let reader = try ImageReader(partition)
        try reader.verify()
        show("\(path): \(partition.superblock.counts.chunks) chunks verified")
    }
}
