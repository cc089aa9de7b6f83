// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Basics
import BlockDevices
import Hibernation
import Linux
import MemoryImage

struct StatusCommand: TorporSubcommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show hibernation partitions, and how the last hibernation went.")

    @Argument(help: "The partitions to show. (default: all)")
    var devices: [DeviceName] = []

    @OptionGroup var output: OutputOptions

    private struct Answer: Encodable {
        let partitions: [PartitionOutput]
        /// Devices that could not be read: a hibernation partition may be among them.
        let unreadable: [UnreadableOutput]
        /// How the last hibernation of this system went; nil before the first.
        let lastReport: ReportOutput?
    }

    private struct UnreadableOutput: Encodable {
        let device, reason: String
    }

    func run(_ environment: CommandEnvironment) throws {
        try environment.reporting(output) { try report(environment) }
    }

    private func report(_ environment: CommandEnvironment) throws {
        let terminal = environment.terminal
        let catalog = try environment.devices.catalog()
        let partitions = try devices.isEmpty ? all(catalog) : devices.map { try named($0, catalog) }
        let silent = catalog.entries.filter { catalog.unanswered.contains($0.path) }
        let unreadable = (catalog.unreadable + silent).map {
            UnreadableOutput(device: $0.path, reason: $0.failure?.reason ?? "")
        }
        let report = environment.reports.kept()
        if output.json {
            try terminal.write(json: Answer(partitions: partitions, unreadable: unreadable, lastReport: report))
            return
        }
        if partitions.isEmpty {
            terminal.show(
                "there is no hibernation partition\(catalog.missingPartitionPhrase); make one with: "
                    + "torpor format DEVICE")
        } else if devices.isEmpty {
            for device in unreadable { terminal.show("\(device.device): cannot be read: \(device.reason)") }
        }
        for line in partitions.flatMap({ $0.lines(output) }) { terminal.show(line) }
        if let report { terminal.show("last hibernation: \(report.sentence(output.size)) (\(report.time))") }
    }

    private func all(_ catalog: DeviceCatalog) throws -> [PartitionOutput] {
        let entries = catalog.hibernationPartitions
        // Only root can read block devices: for others "there is none" could be wrong.
        if entries.isEmpty, let failure = catalog.permissionFailure { throw failure }
        return entries.map { PartitionOutput($0.path, $0.verdict, byteCount: $0.byteCount) }
    }

    private func named(_ name: DeviceName, _ catalog: DeviceCatalog) throws -> PartitionOutput {
        let path = try findHibernationPartition(name, seconds: 0, catalog, naming: "torpor status DEVICE")
        let verdict = try HibernationPartition.verdict(path)
        if case .foreign = verdict, let failure = verdict.failure(path) { throw failure }
        return PartitionOutput(path, verdict, byteCount: try DeviceGeometry(of: File(path)).byteCount)
    }
}
