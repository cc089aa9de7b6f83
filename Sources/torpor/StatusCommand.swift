// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Basics
import BlockDevices
import Hibernation
import Linux
import MemoryImage

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show the hibernation partitions and what they hold.")

    @Argument(help: "Partitions to show. (default: all there are)")
    var devices: [DeviceName] = []

    @OptionGroup var output: OutputOptions

    private struct Status: Encodable {
        let partitions: [PartitionOutput]
        /// Devices that could not be read: a hibernation partition may be among them.
        let unreadable: [UnreadableOutput]
        /// How this system's last hibernation went; nil before the first.
        let lastReport: ReportOutput?
    }

    private struct UnreadableOutput: Encodable {
        let device, reason: String
    }

    func run() throws { try reporting(output, report) }

    private func report() throws {
        let catalog = try DeviceCatalog.ofHibernationPartitions()
        let partitions = try devices.isEmpty ? all(catalog) : devices.map { try named($0, catalog) }
        let silent = catalog.entries.filter { catalog.unanswered.contains($0.path) }
        let unreadable = (catalog.unreadable + silent).map {
            UnreadableOutput(device: $0.path, reason: $0.failure?.reason ?? "")
        }
        let report = ReportOutput.kept()
        if output.json {
            try print(json: Status(partitions: partitions, unreadable: unreadable, lastReport: report))
            return
        }
        if partitions.isEmpty {
            show(
                "there is no hibernation partition\(catalog.missingPartitionPhrase); make one with: "
                    + "torpor format DEVICE")
        } else if devices.isEmpty {
            for device in unreadable { show("\(device.device): cannot be read: \(device.reason)") }
        }
        for partition in partitions { partition.show(output) }
        if let report { show("last time: \(report.sentence(output.size)) (\(report.time))") }
    }

    private func all(_ catalog: DeviceCatalog) throws -> [PartitionOutput] {
        let entries = catalog.hibernationPartitions
        // Nobody but root sees any; that there is none would not be true.
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
