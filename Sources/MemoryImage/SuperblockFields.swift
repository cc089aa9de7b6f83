// SPDX-License-Identifier: Apache-2.0
import Basics

extension Superblock {
    /// Offsets of the fields that are looked at before it is known what the others mean.
    private enum Offset {
        static let version = 8
        static let features = 240
        static let checksum = Superblock.byteCount - 8
    }

    /// Bytes of the field for the reason, and how many of them a writer uses. Behind these, in the first sector, partition
    /// schemes without a magic (Atari) have their tables, and text could look like one.
    private static let reasonLimit = 256
    private static let usedReasonLimit = 198

    private mutating func fields<Coder: FieldCoder>(_ coder: inout Coder) throws(Coder.Refusal) {
        var magic = Superblock.magic, size = UInt32(Superblock.byteCount)
        try coder.bytes(&magic, at: 0, count: magic.count)
        try coder.integer(&version, at: Offset.version)
        // Readers do not look at it.
        try coder.integer(&size, at: 12)
        try coder.integer(&generation, at: 16)
        try coder.uuid(&uuid, at: 24)
        try coder.text(&label, at: 40, count: Superblock.labelLimit)
        try coder.integer(&deviceByteCount, at: 104)
        try coder.value(&state, at: 112, { $0.rawValue }, { State(rawValue: $0) }, "its state is unknown")
        try coder.integer(&cipher, at: 116)
        try coder.uuid(&imageUUID, at: 120)
        try coder.integer(&time, at: 136)
        try descriptionExtent.fields(&coder, at: 144)
        try indexExtent.fields(&coder, at: 168)
        try counts.fields(&coder, at: 192)
        try coder.value(&codec, at: 232, { $0.numberAndLevel }, { Codec(numberAndLevel: $0) }, "its codec is unknown")
        try coder.integer(&refusals, at: 248)
        try coder.flag(&isGivenUp, at: 252)
        try coder.text(&reason, at: 256, count: Superblock.reasonLimit, limit: Superblock.usedReasonLimit)
        try coder.integer(&recordedContentsEnd, at: 520)
        // The writer of version 1 left zeros here, and its reader did not look.
        guard version > 1 else { return }
        var bits = features.rawValue
        try coder.integer(&bits, at: Offset.features)
        features = Features(rawValue: bits)
        try coder.integer(&counts.freePages, at: 512)
        try coder.integer(&bootAreaByteCount, at: 528)
        try bootFilesExtent.fields(&coder, at: 536)
        try coder.integer(&unansweredStarts, at: 560)
        try coder.flag(&isResumePostponed, at: 564)
    }

    /// The bytes of a slot.
    public func encoded() -> [UInt8] {
        var copy = self
        var writer = FieldWriter(byteCount: Superblock.byteCount)
        copy.fields(&writer)
        writer.put(xxh64(writer.bytes, count: Offset.checksum), at: Offset.checksum)
        return writer.bytes
    }

    /// Why a slot has no superblock that can be used.
    public enum Refusal: Error, Sendable {
        /// The magic is missing: the partition was never formatted.
        case notFormatted
        /// The magic is there, but the checksum or a field is wrong: the slot is damaged, or a power cut tore it.
        case damaged
        /// A version of Torpor wrote it that this one does not know.
        case unknownVersion(UInt32)
        /// The version is known, but not all of its features.
        case unknownFeatures(Features)
    }

    /// The superblock in the bytes of a slot.
    public init(decoding block: [UInt8]) throws(Refusal) {
        guard block.count == Superblock.byteCount, block.starts(with: Superblock.magic) else { throw .notFormatted }
        let bytes = block.span.bytes
        guard let sum = try? bytes.integer(at: Offset.checksum, as: UInt64.self),
            let version = try? bytes.integer(at: Offset.version, as: UInt32.self),
            let bits = try? bytes.integer(at: Offset.features, as: UInt64.self),
            sum == xxh64(block, count: Offset.checksum)
        else { throw .damaged }
        guard Superblock.knownVersions.contains(version) else { throw .unknownVersion(version) }
        // Before the other fields, which may mean something else if there are features that nobody here knows.
        if version > 1 {
            let unknown = Features(rawValue: bits).subtracting(.known)
            guard unknown.isEmpty else { throw .unknownFeatures(unknown) }
        }
        self.init(uuid: .zero, label: "", deviceByteCount: 0)
        var reader = FieldReader(block, of: "the superblock")
        // The checksum is right, but a field can still hold what no version writes.
        do throws(Failure) { try fields(&reader) } catch { throw .damaged }
        guard bootAreaByteCount % UInt64(2 * blockSize) == 0,
            bootAreaByteCount <= deviceByteCount - min(deviceByteCount, Superblock.dataOffset)
        else { throw .damaged }
    }
}
