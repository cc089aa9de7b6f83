// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Basics
import BlockDevices
import Hibernation
import Linux
import MemoryImage

struct FormatCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "format", abstract: "Make a partition a hibernation partition.",
        discussion: """
            Without --force, only an empty device and an unused hibernation partition are formatted. With it, what the device
            holds is lost. A device that is in use is never formatted.
            """)

    @Option(help: "A name for the partition, for LABEL=.")
    var label = ""

    @Flag(help: "Format it even if it holds something.")
    var force = false

    @Argument(help: "The partition: a path, UUID=, LABEL=, PARTUUID= or PARTLABEL=.")
    var device: DeviceName

    @OptionGroup var output: OutputOptions

    private struct Answer: Encodable {
        let device: String
        let byteCount: UInt64
        let uuid, label: String
    }

    func run() throws { try reporting(output, format) }

    private func format() throws {
        let path = try findDeviceToFormat(device, DeviceCatalog.ofHibernationPartitions())
        guard try isBlockDevice(path) else {
            throw Failure("format", path, "it is not a block device", remedy: "name a partition under /dev")
        }
        try refuseIfInUse(path, "format")
        let progress = EraseProgress(output)
        let superblock = try Formatting(path, label: label, isForced: force).perform(progress.tell)
        if output.json {
            try print(
                json: Answer(
                    device: path, byteCount: superblock.deviceByteCount, uuid: superblock.uuid.description,
                    label: superblock.label))
            return
        }
        let size = output.size(superblock.deviceByteCount)
        show("\(path): \(size), UUID=\(superblock.uuid)\(label.isEmpty ? "" : ", LABEL=\(label)")")
    }
}

/// Refuses a device that is mounted, in use as swap or held by another device.
func refuseIfInUse(_ path: String, _ operation: String) throws(Failure) {
    do throws(Failure) { _ = try File(path, [.exclusive, .nonBlocking]) } catch {
        guard error.errno == ErrorNumber.busy else { throw error }
        throw Failure(operation, path, holder(of: path), remedy: "end that use first, or name another partition")
    }
}
