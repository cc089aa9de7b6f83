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
        let partition = try HibernationPartition(
            try findHibernationPartition(device, seconds: 0, DeviceCatalog.ofHibernationPartitions()))
        guard partition.superblock.descriptionExtent.byteCount > 0 else {
            throw Failure("verify", partition.path, "it holds \(partition.superblock.stateDescription)")
        }
        let reader = try ImageReader(partition)
        try reader.verify()
        print("\(partition.path): \(partition.superblock.counts.chunks) chunks verified")
    }
}
