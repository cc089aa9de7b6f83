// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import MemoryImage

/// Makes a device a hibernation partition: `torpor format`.
public struct Formatting: Sendable {
    public var path: String
    public var label: String
    /// Whether to overwrite the device whatever it holds.
    public var isForced: Bool
    /// Bytes for both slots of boot files; nil for the standard.
    public var bootAreaByteCount: UInt64?

    /// The bytes for boot files, by default: two slots of a distribution's kernel and a rootfs.gz with modules. A small
    /// partition gets none.
    static func standardBootAreaByteCount(deviceByteCount: UInt64) -> UInt64 {
        deviceByteCount >= 512 << 20 ? 64 << 20 : 0
    }

    public init(_ path: String, label: String, isForced: Bool) {
        self.path = path
        self.label = label
        self.isForced = isForced
    }

    private static let remedy = "if that may be lost, use --force"

    /// Makes the device a hibernation partition, and erases the contents of an earlier image.
    /// - Parameter progress: called with the bytes erased so far, and the bytes in total.
    /// - Throws: unless forced, if the device is neither empty nor an unused hibernation partition.
    public func perform(_ progress: (UInt64, UInt64) -> Void = { _, _ in }) throws(Failure) -> Superblock {
        let verdict = try HibernationPartition.verdict(path)
        if !isForced { try refuse(verdict) }
        guard let uuid = UUID(random: try randomBytes(16)) else {
            throw Failure("make", "a UUID", "the kernel returned too few random bytes")
        }
        if case .ours(let superblock, _) = verdict, superblock.contentsEnd > 0 {
            let partition = try HibernationPartition(path, [.write, .exclusive])
            try partition.discardImage()
            _ = try partition.eraseContents(progress)
        }
        // If the superblocks cannot be read, an earlier image may be anywhere on the device. It must not stay there.
        let mayHideImage =
            switch verdict {
            case .ours, .foreign(_, wasOurs: false): false
            case .unusable, .foreign(_, wasOurs: true): true
            }
        let deviceByteCount = try DeviceGeometry(of: File(path)).byteCount
        try HibernationPartition.format(
            path, label: label, uuid: uuid,
            bootAreaByteCount: bootAreaByteCount
                ?? Formatting.standardBootAreaByteCount(deviceByteCount: deviceByteCount),
            mayHideImage: mayHideImage, .exclusive)
        if mayHideImage { _ = try HibernationPartition(path, [.write, .exclusive]).eraseContents(progress) }
        return try HibernationPartition(path).superblock
    }

    /// What the device holds that would be lost, as a clause: `it holds ext4`; nil if it is empty or an unused hibernation
    /// partition.
    public func contents() throws(Failure) -> String? {
        do throws(Failure) { try refuse(HibernationPartition.verdict(path)) } catch {
            // Only the refusal of contents has this remedy; another failure is no answer.
            guard error.remedy == Formatting.remedy else { throw error }
            return error.reason
        }
        return nil
    }

    /// Refuses everything but an empty device and an unused hibernation partition.
    private func refuse(_ verdict: PartitionVerdict) throws(Failure) {
        switch verdict {
        case .ours(let superblock, _):
            if superblock.isUnused { return }
            throw Failure(
                "format", path, "it is a hibernation partition with \(superblock.stateDescription)",
                remedy: Formatting.remedy)
        case .unusable(let failure, _):
            throw Failure(
                "format", path, "it is a hibernation partition: \(failure.reason)", remedy: Formatting.remedy)
        case .foreign(let content?, _):
            throw Failure("format", path, "it holds \(content)", remedy: Formatting.remedy)
        case .foreign(nil, _):
            if try isEmpty() { return }
            throw Failure("format", path, "it holds data of an unknown kind", remedy: Formatting.remedy)
        }
    }

    /// Bytes at the beginning and at the end that are read in full.
    private static let ends: UInt64 = 1 << 20
    /// Blocks between them that are read as samples.
    private static let samples: UInt64 = 256

    /// Whether the device seems unused or erased: its first and last MiB and the samples between them hold only zeros, or only
    /// ones, as erased flash does.
    private func isEmpty() throws(Failure) -> Bool {
        let file = try File(path)
        let size = try DeviceGeometry(of: file).byteCount
        let buffer = try Mapping(anonymous: Int(Formatting.ends))
        func isEmpty(_ bytes: DeviceRange) throws(Failure) -> Bool {
            if bytes.isEmpty { return true }
            let part = UnsafeMutableRawBufferPointer(
                rebasing: buffer.bytes[..<Int(bytes.upperBound - bytes.lowerBound)])
            try file.read(into: part, at: bytes.lowerBound)
            return isUniform(UnsafeRawBufferPointer(part))
        }
        guard try isEmpty(0..<min(size, Formatting.ends)), try isEmpty(size - min(size, Formatting.ends)..<size) else {
            return false
        }
        let block: UInt64 = 4096
        guard size > block else { return true }
        for number in 0..<Formatting.samples {
            let start = (size - block) / Formatting.samples * number
            if try !isEmpty(start..<start + block) { return false }
        }
        return true
    }
}

/// Whether all bytes are zeros, or all are ones.
private func isUniform(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard let first = bytes.first, first == 0 || first == 0xff else { return bytes.isEmpty }
    return first == 0 ? isZero(bytes) : bytes.allSatisfy { $0 == 0xff }
}
