// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Basics
import BlockDevices
import Hibernation
import MemoryImage

struct DiscardCommand: TorporSubcommand {
    static let configuration = CommandConfiguration(
        commandName: "discard", abstract: "Drop the image on a hibernation partition and erase its contents.",
        discussion: "If the image is a saved session, that session is lost.")

    @Argument(help: "The hibernation partition. (default: the only one)")
    var device: DeviceName?

    @OptionGroup var output: OutputOptions

    private struct Answer: Encodable {
        let device: String
        /// What the partition held.
        let discarded: String
        /// How the contents were erased: `discard` or `zeros`; nil if there were none.
        let erased: String?
    }

    func run(_ environment: CommandEnvironment) throws {
        try environment.reporting(output) { try discard(environment) }
    }

    private func discard(_ environment: CommandEnvironment) throws {
        let path = try findHibernationPartition(
            device, seconds: 0, environment.devices.catalog(), naming: "torpor discard DEVICE")
        try environment.devices.requireUnused(path, "discard the image on")
        let partition = try HibernationPartition(path, [.write, .exclusive])
        let held = partition.superblock.stateDescription
        let isEmpty = partition.superblock.state == .empty && partition.superblock.contentsEnd == 0
        var erasure: Erasure?
        if !isEmpty {
            // First the superblock: whatever happens later, the image is never resumed.
            try partition.discardImage()
            erasure = try partition.eraseContents(EraseProgress(environment, output).show)
        }
        let terminal = environment.terminal
        if output.json {
            try terminal.write(json: Answer(device: path, discarded: held, erased: erasure?.rawValue))
        } else if isEmpty {
            terminal.show("\(path): holds no image")
        } else {
            terminal.show("\(path): discarded \(held)")
            if let erasure { terminal.show("\(path): \(erasure.clause)") }
        }
    }
}
