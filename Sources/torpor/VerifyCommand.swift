// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Basics
import BlockDevices
import Hibernation
import Linux
import MemoryImage

struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Read a whole image and verify its checksums; nothing is changed.")

    @Argument(help: "The hibernation partition. (default: the only one)")
    var device: DeviceName?

    @OptionGroup var output: OutputOptions

    private struct Answer: Encodable {
        let device: String
        /// How many chunks were verified.
        let chunks: UInt64
    }

    func run() throws { try reporting(output, verify) }

    private func verify() throws {
        let path = try findHibernationPartition(
            device, seconds: 0, DeviceCatalog.ofHibernationPartitions(), naming: "torpor verify DEVICE")
        let partition = try HibernationPartition(path)
        guard partition.superblock.descriptionExtent.byteCount > 0 else {
            throw Failure("verify", path, "it holds \(partition.superblock.stateDescription)")
        }
        let reader = try ImageReader(partition)
        try reader.verify()
        let chunks = partition.superblock.counts.chunks
        if output.json {
            try print(json: Answer(device: path, chunks: chunks))
        } else {
            show("\(path): \(chunks) chunks verified")
        }
    }
}
