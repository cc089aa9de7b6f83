// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Basics
import BlockDevices
import Hibernation
import MemoryImage

struct VerifyCommand: TorporSubcommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Read a whole image and verify its checksums; nothing is changed.")

    @Argument(help: "The hibernation partition. (default: the only one)")
    var device: DeviceName?

    @OptionGroup var output: OutputOptions

    private struct Answer: Encodable {
        let device: String
        /// The number of chunks that were verified.
        let chunks: UInt64
    }

    func run(_ environment: CommandEnvironment) throws {
        try environment.reporting(output) { try verify(environment) }
    }

    private func verify(_ environment: CommandEnvironment) throws {
        let path = try findHibernationPartition(
            device, seconds: 0, environment.devices.catalog(), naming: "torpor verify DEVICE")
        let partition = try HibernationPartition(path)
        guard partition.superblock.descriptionExtent.byteCount > 0 else {
            throw Failure("verify", path, "it holds \(partition.superblock.stateDescription)")
        }
        try ImageReader(partition).verify()
        let chunks = partition.superblock.counts.chunks
        if output.json {
            try environment.terminal.write(json: Answer(device: path, chunks: chunks))
        } else {
            environment.terminal.show("\(path): \(chunks) chunk\(chunks == 1 ? "" : "s") verified")
        }
    }
}
