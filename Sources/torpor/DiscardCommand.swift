import ArgumentParser
import Basics
import Hibernation
import Linux
import MemoryImage

struct DiscardCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "discard", abstract: "Give up the image on a hibernation partition.",
        discussion: "The session that it holds cannot be resumed any more.")

    @Argument(help: "The hibernation partition. (default: the only one)")
    var device: DeviceName?

    func run() throws {
        let path = try findHibernationPartition(device, seconds: 0, DeviceCatalog.ofHibernationPartitions())
        try refuseIfInUse(path, "discard the image on")
        let partition = try HibernationPartition(path, [.write, .exclusive])
        guard partition.superblock.state != .empty else {
            print("\(path): it holds no image")
            return
        }
        let held = partition.superblock.stateDescription
        try partition.discardImage()
        print("\(path): discarded \(held)")
    }
}
