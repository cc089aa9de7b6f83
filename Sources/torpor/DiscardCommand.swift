// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Basics
import BlockDevices
import Hibernation
import Linux
import MemoryImage

struct DiscardCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "discard", abstract: "Give up the image on a hibernation partition, and erase its contents.",
        discussion: "The session that it holds cannot be resumed any more.")

    @Argument(help: "The hibernation partition. (default: the only one)")
    var device: DeviceName?

    @OptionGroup var output: OutputOptions

    private struct Answer: Encodable {
        let device: String
        /// What it held.
        let discarded: String
        /// How the contents were erased: `discard` or `zeros`; nil if there were none.
        let erased: String?
    }

    func run() throws { try reporting(output, discard) }

    private func discard() throws {
        let path = try findHibernationPartition(
            device, seconds: 0, DeviceCatalog.ofHibernationPartitions(), naming: "torpor discard DEVICE")
        try refuseIfInUse(path, "discard the image on")
        let partition = try HibernationPartition(path, [.write, .exclusive])
        let held = partition.superblock.stateDescription
        let isEmpty = partition.superblock.state == .empty && partition.superblock.contentsEnd == 0
        var erasure: Erasure?
        if !isEmpty {
            // Given up first: whatever becomes of the rest, it is never resumed.
            try partition.discardImage()
            erasure = try partition.eraseContents(EraseProgress(output).tell)
        }
        if output.json {
            try print(json: Answer(device: path, discarded: held, erased: erasure?.rawValue))
        } else if isEmpty {
            show("\(path): it holds no image")
        } else {
            show("\(path): discarded \(held)")
            if let erasure { show("\(path): \(erasure.sentence)") }
        }
    }
}
