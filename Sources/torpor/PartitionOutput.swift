// SPDX-License-Identifier: Apache-2.0
import Basics
import FoundationEssentials
import Linux
import MemoryImage

/// The last second of the year 9999, the last that is written in four digits.
private let latestTime: UInt64 = 253_402_300_799

/// A hibernation partition as it is reported; sizes in bytes.
struct PartitionOutput: Encodable {
    let device: String
    let byteCount: UInt64
    /// Whether an image can be written to it, or resumed from it; if not, `reason` tells why.
    let usable: Bool
    let state, stateDescription: String
    let reason: String?
    // What the superblock says; nil if it cannot be read.
    var uuid, label, written, codec: String?
    var generation: UInt64?
    var image: CountsOutput?
    var imageUUID, host, kernelRelease: String?
    /// Bytes up to which contents are left of an image that will not be resumed; nil if they are erased.
    var remainingBytes: UInt64?

    init(_ path: String, _ verdict: PartitionVerdict, byteCount: UInt64) {
        device = path
        let failure = verdict.failure(path)
        usable = failure == nil
        guard let superblock = verdict.superblock else {
            self.byteCount = byteCount
            state = "unusable"
            stateDescription = "a hibernation partition that cannot be used"
            reason = failure.map { Self.sentence($0) }
            return
        }
        self.byteCount = superblock.deviceByteCount
        state = "\(superblock.state)"
        stateDescription = superblock.stateDescription
        reason = failure.map { Self.sentence($0) } ?? (superblock.reason.isEmpty ? nil : superblock.reason)
        uuid = superblock.uuid.description
        label = superblock.label
        written = Date(timeIntervalSince1970: TimeInterval(min(superblock.time, latestTime))).formatted(.iso8601)
        codec = superblock.codec.description
        generation = superblock.generation
        let isOver = [.empty, .consumed, .failed, .saving].contains(superblock.state)
        remainingBytes = isOver && superblock.contentsEnd > 0 ? superblock.contentsEnd : nil
        guard superblock.descriptionExtent.byteCount > 0 else { return }
        image = CountsOutput(superblock.counts)
        imageUUID = superblock.imageUUID.description
        guard usable, let partition = try? HibernationPartition(path),
            let description = try? partition.readDescription()
        else { return }
        host = description.host
        kernelRelease = description.kernelRelease
    }

    /// Why a partition cannot be used, without its name.
    private static func sentence(_ failure: Failure) -> String {
        failure.reason + (failure.remedy.map { "; \($0)" } ?? "")
    }

    /// Prints it for people.
    func show(_ output: OutputOptions) {
        torpor.show("\(device): \(usable ? stateDescription : "cannot be used: \(reason ?? "")")")
        var lines = [("size", output.size(byteCount))]
        if let uuid { lines.append(("UUID", uuid)) }
        if let label, !label.isEmpty { lines.append(("label", label)) }
        if let written { lines.append(("written", written)) }
        if usable, let reason { lines.append(("reason", reason)) }
        if let image {
            lines.append(("data", output.size(image.dataPages &* pageSize)))
            lines.append(("zero pages", output.size(image.zeroPages &* pageSize)))
            lines.append(("on disk", "\(output.size(image.storedBytes)), \(codec ?? "")"))
            lines.append(("saved in", describe(milliseconds: image.saveMilliseconds)))
        }
        if let host { lines.append(("host", host)) }
        if let kernelRelease { lines.append(("kernel", kernelRelease)) }
        if let remainingBytes {
            lines.append(
                (
                    "remains",
                    "contents of it up to \(output.size(remainingBytes)); erase them with: torpor discard \(device)"
                ))
        }
        for (name, value) in lines {
            torpor.show("  \(name)\(String(repeating: " ", count: 12 - name.count))\(value)")
        }
    }
}
