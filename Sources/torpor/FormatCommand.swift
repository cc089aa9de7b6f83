import ArgumentParser
import Basics
import Hibernation
import Linux
import MemoryImage

struct FormatCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "format", abstract: "Make a partition a hibernation partition.",
        discussion: "What the partition held is lost.")

    @Option(help: "A name for the partition, for LABEL=.")
    var label = ""

    @Flag(help: "Format it even if it holds something.")
    var force = false

    @Argument(help: "The partition: a path, UUID=, LABEL=, PARTUUID= or PARTLABEL=.")
    var device: DeviceName

    func run() throws {
        let path = try DeviceCatalog().wait(for: device, seconds: 0)[0]
        guard try isBlockDevice(path) else {
            throw Failure("format", path, "it is not a block device", remedy: "name a partition under /dev")
        }
        try refuseIfInUse(path, "format")
        if !force { try refuseIfHoldingAnything(path) }
        guard let uuid = UUID(random: try randomBytes(16)) else { throw Failure("make", "a UUID", "too few bytes") }
        try HibernationPartition.format(path, label: label, uuid: uuid, .exclusive)
        let size = try HibernationPartition(path).superblock.deviceByteCount
        print("\(path): \(describe(bytes: size)), UUID=\(uuid)\(label.isEmpty ? "" : ", LABEL=\(label)")")
    }

    private func refuseIfHoldingAnything(_ path: String) throws(Failure) {
        let remedy = "if that may be lost, use --force"
        if let partition = try? HibernationPartition(path) {
            throw Failure(
                "format", path, "it is a hibernation partition with \(partition.superblock.stateDescription)",
                remedy: remedy)
        }
        if let type = try probeContent(path).type { throw Failure("format", path, "it holds \(type)", remedy: remedy) }
    }
}

/// Refuses a device that is mounted, in use as swap or held by another device.
func refuseIfInUse(_ path: String, _ operation: String) throws(Failure) {
    do throws(Failure) { _ = try File(path, [.exclusive, .nonBlocking]) } catch {
        guard error.errno == ErrorNumber.busy else { throw error }
        throw Failure(operation, path, holder(of: path), remedy: "end that use first, or name another partition")
    }
}
