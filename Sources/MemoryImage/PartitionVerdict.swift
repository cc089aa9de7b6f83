// SPDX-License-Identifier: Apache-2.0
import Basics

/// Whose a device is: not ours, ours, or ours but unusable. Every command, kernel B and kernel C decide it here.
///
/// A device is ours as long as the magic is in slot 0 and libblkid recognises nothing else on it. Whoever formats it for
/// another use may leave a slot intact: swap and file systems leave slot 1, LVM and partition tables also the magic in slot
/// 0.
public enum PartitionVerdict: Sendable {
    /// Not a hibernation partition. It is never written.
    /// - content: the type that libblkid recognises; nil if it recognises none.
    /// - wasOurs: the magic is still there, so it was a hibernation partition once.
    case foreign(content: String?, wasOurs: Bool)
    /// A hibernation partition, with the superblock that counts and the number of its slot.
    case ours(Superblock, slot: Int)
    /// A hibernation partition that cannot be used, with the reason and, if it can be read, the superblock.
    case unusable(Failure, Superblock?)

    /// Decides from what was read of a device.
    /// - Parameters:
    ///   - slots: the blocks at `Superblock.slotOffsets`; fewer if the device ends before them.
    ///   - content: the type that libblkid recognises; nil if it recognises none.
    ///   - byteCount: bytes in the device.
    public init(_ path: String, slots: [[UInt8]], content: String?, byteCount: UInt64) {
        guard let first = slots.first, first.starts(with: Superblock.magic) else {
            self = .foreign(content: content, wasOurs: false)
            return
        }
        if let content {
            self = .foreign(content: content, wasOurs: true)
            return
        }
        var best: (superblock: Superblock, slot: Int)?
        var refusals: [Superblock.Refusal] = []
        for (number, slot) in slots.enumerated() {
            do throws(Superblock.Refusal) {
                let superblock = try Superblock(decoding: slot)
                if best.map({ $0.superblock.generation < superblock.generation }) ?? true {
                    best = (superblock, number)
                }
            } catch { refusals.append(error) }
        }
        // A later version may have written the newer slot. Then the older one is out of date.
        let isLater = refusals.contains { refusal in
            switch refusal {
            case .unknownVersion, .unknownFeatures: true
            case .notFormatted, .damaged: false
            }
        }
        guard let best, !isLater else {
            self = .unusable(PartitionVerdict.failure(path, refusals), nil)
            return
        }
        if let failure = PartitionVerdict.failure(path, best.superblock, byteCount: byteCount) {
            self = .unusable(failure, best.superblock)
        } else {
            self = .ours(best.superblock, slot: best.slot)
        }
    }

    /// The reason why no slot counts although the magic is there.
    private static func failure(_ path: String, _ refusals: [Superblock.Refusal]) -> Failure {
        let remedy = "format it again with: torpor format --force \(path)"
        for refusal in refusals {
            let reason: String
            switch refusal {
            case .unknownVersion(let version):
                reason = "its format has version \(version), this torpor knows \(Superblock.version)"
            case .unknownFeatures(let features):
                reason = "it needs features that this torpor lacks (bits \(features.bitNumbers))"
            case .notFormatted, .damaged: continue
            }
            return Failure("open", path, reason, remedy: "use a newer torpor, or \(remedy)")
        }
        return Failure("open", path, "both its superblocks are damaged", remedy: remedy, isFinal: true)
    }

    /// The reason why a partition with this superblock cannot be used; nil if it can.
    private static func failure(_ path: String, _ superblock: Superblock, byteCount: UInt64) -> Failure? {
        guard byteCount >= superblock.deviceByteCount else {
            return Failure(
                "open", path,
                "it has \(describe(bytes: byteCount)), but \(describe(bytes: superblock.deviceByteCount)) when it was "
                    + "formatted",
                remedy: "give it its size back, or format it again with: torpor format --force \(path)")
        }
        guard superblock.cipher == 0 else {
            return Failure(
                "open", path, "its image is encrypted", remedy: "use a version of torpor that can decrypt it")
        }
        return nil
    }

    /// The reason why the device cannot be used as a hibernation partition; nil if it can.
    public func failure(_ path: String) -> Failure? {
        switch self {
        case .ours: return nil
        case .unusable(let failure, _): return failure
        case .foreign(let content?, wasOurs: true):
            return Failure(
                "open", path, "it is not a hibernation partition any more: it holds \(content)",
                remedy: "if that may be lost, make it one with: torpor format --force \(path)", isFinal: true)
        case .foreign(let content?, wasOurs: false):
            return Failure(
                "open", path, "it is not a hibernation partition: it holds \(content)",
                remedy: "name another, or make one with: torpor format")
        case .foreign(nil, _):
            return Failure(
                "open", path, "it is not a hibernation partition", remedy: "make it one with: torpor format \(path)")
        }
    }

    /// The superblock of a hibernation partition; nil if it cannot be read.
    public var superblock: Superblock? {
        switch self {
        case .foreign: nil
        case .ours(let superblock, _): superblock
        case .unusable(_, let superblock): superblock
        }
    }
}
