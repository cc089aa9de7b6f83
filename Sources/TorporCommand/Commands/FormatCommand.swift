// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Basics
import BlockDevices
import Hibernation

struct FormatCommand: TorporSubcommand {
    static let configuration = CommandConfiguration(
        commandName: "format", abstract: "Make a partition a hibernation partition.",
        discussion: """
            Without --force, torpor formats only an empty device or an unused hibernation partition. With --force, all data on \
            the device is lost. A device that is in use is never formatted.
            """)

    @Option(help: "A label for the partition, to name it as LABEL=.")
    var label = ""

    @Flag(help: "Format the device even if it holds data.")
    var force = false

    @Option(
        help:
            """
            The space for two copies of kernel and rootfs.gz, with which an ordinary start continues: a size such as 96M, or 0. \
            (default: 64M, but 0 on a partition below 512M)
            """,
        transform: bootFiles)
    var bootFiles: UInt64?

    private static func bootFiles(_ text: String) throws -> UInt64 {
        guard let bytes = parseSize(text), bytes % 8192 == 0 else {
            throw ValidationError("\(text) is not a size such as 96M, a multiple of 8K.")
        }
        return bytes
    }

    @Argument(help: "The partition: a path, UUID=, LABEL=, PARTUUID= or PARTLABEL=.")
    var device: DeviceName

    @OptionGroup var output: OutputOptions

    private struct Answer: Encodable {
        let device: String
        let byteCount: UInt64
        let uuid, label: String
    }

    func run(_ environment: CommandEnvironment) throws {
        try environment.reporting(output) { try format(environment) }
    }

    private func format(_ environment: CommandEnvironment) throws {
        let path = try findDeviceToFormat(device, environment.devices.catalog())
        guard try environment.devices.isBlockDevice(path) else {
            throw Failure("format", path, "it is not a block device", remedy: "name a partition under /dev")
        }
        try environment.devices.requireUnused(path, "format")
        let progress = EraseProgress(environment, output)
        var formatting = Formatting(path, label: label, isForced: force)
        formatting.bootAreaByteCount = bootFiles
        let superblock = try formatting.perform(progress.show)
        let terminal = environment.terminal
        if output.json {
            try terminal.write(
                json: Answer(
                    device: path, byteCount: superblock.deviceByteCount, uuid: superblock.uuid.description,
                    label: superblock.label))
            return
        }
        let size = output.size(superblock.deviceByteCount)
        terminal.show("\(path): \(size), UUID=\(superblock.uuid)\(label.isEmpty ? "" : ", LABEL=\(label)")")
    }
}
