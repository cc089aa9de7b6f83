// SPDX-License-Identifier: Apache-2.0
import Basics
import FoundationEssentials
import Linux
import MemoryImage

/// A hibernation partition, as JSON and as lines of text.
struct PartitionOutput: Encodable {
    let device: String
    let byteCount: UInt64
    /// Whether the partition can hold an image, or have its image resumed; if not, `reason` says why.
    let usable: Bool
    let state, stateDescription: String
    let reason: String?
    // From the superblock; nil if it cannot be read.
    var uuid, label, written, codec: String?
    var generation: UInt64?
    var image: CountsOutput?
    var imageUUID, host, kernelRelease: String?
    /// Contents of an image that will not be resumed lie before this byte; nil if there are none.
    var remainingBytes: UInt64?

    /// The last second of the year 9999, the last one with a year of four digits.
    private static let latestTime: UInt64 = 253_402_300_799

    init(_ path: String, _ verdict: PartitionVerdict, byteCount: UInt64) {
        device = path
        let failure = verdict.failure(path)
        usable = failure == nil
        guard let superblock = verdict.superblock else {
            self.byteCount = byteCount
            state = "unusable"
            stateDescription = "a hibernation partition that cannot be used"
            reason = failure.map { Self.clause($0) }
            return
        }
        self.byteCount = superblock.deviceByteCount
        state = "\(superblock.state)"
        stateDescription = superblock.stateDescription
        reason = failure.map { Self.clause($0) } ?? (superblock.reason.isEmpty ? nil : superblock.reason)
        uuid = superblock.uuid.description
        label = superblock.label
        let time = Date(timeIntervalSince1970: TimeInterval(min(superblock.time, Self.latestTime)))
        written = time.formatted(.iso8601)
        codec = superblock.codec.description
        generation = superblock.generation
        let isOver = [.empty, .consumed, .failed, .saving].contains(superblock.state)
        remainingBytes = isOver && superblock.contentsEnd > 0 ? superblock.contentsEnd : nil
        guard superblock.descriptionExtent.byteCount > 0 else { return }
        image = CountsOutput(superblock.counts, tellsFreePages: superblock.version > 1)
        imageUUID = superblock.imageUUID.description
        guard usable, let partition = try? HibernationPartition(path),
            let description = try? partition.readDescription()
        else { return }
        host = description.host
        kernelRelease = description.kernelRelease
    }

    /// Why a partition cannot be used, without its name.
    private static func clause(_ failure: Failure) -> String {
        failure.reason + (failure.remedy.map { "; \($0)" } ?? "")
    }

    /// The partition for people: a heading and a line for each property.
    func lines(_ options: OutputOptions) -> [String] {
        let heading = "\(device): \(usable ? stateDescription : "cannot be used: \(reason ?? "")")"
        return [heading] + properties(options).map { name, value in "  \(name.padded(to: 12))\(value)" }
    }

    private func properties(_ options: OutputOptions) -> [(name: String, value: String)] {
        func size(pages: UInt64) -> String { options.size(pages &* pageSize) }
        var properties = [("size", options.size(byteCount))]
        if let uuid { properties.append(("UUID", uuid)) }
        if let label, !label.isEmpty { properties.append(("label", label)) }
        if let written { properties.append(("written", written)) }
        if usable, let reason { properties.append(("reason", reason)) }
        if let image {
            properties.append(("data", size(pages: image.dataPages)))
            if let zeroPages = image.zeroPages, let freePages = image.freePages {
                properties.append(("zero pages", size(pages: zeroPages)))
                properties.append(("free pages", size(pages: freePages)))
            } else {
                properties.append(("not stored", "\(size(pages: image.omittedPages)) of zero and free pages"))
            }
            properties.append(("on disk", "\(options.size(image.storedBytes)), \(codec ?? "")"))
            properties.append(("saved in", describe(milliseconds: image.saveMilliseconds)))
        }
        if let host { properties.append(("host", host)) }
        if let kernelRelease { properties.append(("kernel", kernelRelease)) }
        if let remainingBytes {
            let size = options.size(remainingBytes)
            properties.append(
                ("not erased", "old contents in the first \(size); erase them with: torpor discard \(device)"))
        }
        return properties
    }
}
