import ArgumentParser
import Basics
import FoundationEssentials
import Hibernation
import Linux
import MemoryImage

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show the hibernation partitions and what they hold.")

    @Argument(help: "Partitions to show. (default: all there are)")
    var devices: [DeviceName] = []

    @OptionGroup var output: OutputOptions

    func run() throws {
        let catalog = try DeviceCatalog.ofHibernationPartitions()
        let paths =
            try devices.isEmpty
            ? hibernationPartitions(catalog) : devices.map { try findHibernationPartition($0, seconds: 0, catalog) }
        let partitions = try paths.map { try PartitionOutput(HibernationPartition($0)) }
        let report = ReportOutput.kept()
        if output.json {
            try print(json: Status(partitions: partitions, lastReport: report))
            return
        }
        if partitions.isEmpty { print("there is no hibernation partition; make one with: torpor format DEVICE") }
        for partition in partitions { show(partition) }
        if let report { print("last time: \(report.sentence(output.size)) (\(report.time))") }
    }

    private struct Status: Encodable {
        let partitions: [PartitionOutput]
        /// How this system's last hibernation went; nil before the first.
        let lastReport: ReportOutput?
    }

    private func show(_ partition: PartitionOutput) {
        print("\(partition.device): \(partition.stateDescription)")
        var lines = [("size", output.size(partition.byteCount)), ("UUID", partition.uuid)]
        if !partition.label.isEmpty { lines.append(("label", partition.label)) }
        lines.append(("written", partition.written))
        if let reason = partition.reason { lines.append(("reason", reason)) }
        if let image = partition.image {
            lines.append(("data", output.size(image.dataPages &* pageSize)))
            lines.append(("zero pages", output.size(image.zeroPages &* pageSize)))
            lines.append(("on disk", "\(output.size(image.storedBytes)), \(partition.codec)"))
            lines.append(("saved in", describe(milliseconds: image.saveMilliseconds)))
        }
        if let host = partition.host { lines.append(("host", host)) }
        if let release = partition.kernelRelease { lines.append(("kernel", release)) }
        for (name, value) in lines { print("  \(name)\(String(repeating: " ", count: 12 - name.count))\(value)") }
    }
}

/// The last second of the year 9999, the last that is written in four digits.
private let latestTime: UInt64 = 253_402_300_799

/// A hibernation partition as it is reported; sizes in bytes.
struct PartitionOutput: Encodable {
    let device, uuid, label, state, stateDescription, written, codec: String
    let byteCount, generation: UInt64
    let reason: String?
    let image: CountsOutput?
    let imageUUID, host, kernelRelease: String?

    init(_ partition: HibernationPartition) {
        let superblock = partition.superblock
        device = partition.path
        uuid = superblock.uuid.description
        label = superblock.label
        state = "\(superblock.state)"
        stateDescription = superblock.stateDescription
        written = Date(timeIntervalSince1970: TimeInterval(min(superblock.time, latestTime))).formatted(.iso8601)
        codec = superblock.codec.description
        byteCount = superblock.deviceByteCount
        generation = superblock.generation
        reason = superblock.reason.isEmpty ? nil : superblock.reason
        let hasImage = superblock.descriptionExtent.byteCount > 0
        image = hasImage ? CountsOutput(superblock.counts) : nil
        imageUUID = hasImage ? superblock.imageUUID.description : nil
        let description = hasImage ? try? partition.readDescription() : nil
        host = description?.host
        kernelRelease = description?.kernelRelease
    }
}
