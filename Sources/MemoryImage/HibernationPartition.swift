// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockStore
import Linux

/// A hibernation partition, or a file in its place: its superblocks. `PartitionParts` has what the superblock names.
public final class HibernationPartition: @unchecked Sendable {
    /// The superblock that counts.
    public private(set) var superblock: Superblock
    let store: BlockStore
    private var slot: Int
    private let block: Mapping

    public var path: String { store.path }

    /// Opens the hibernation partition at a path; by default only for reading.
    public convenience init(_ path: String, _ options: DeviceStore.Options = []) throws(Failure) {
        try self.init(DeviceStore(path, options))
    }

    /// Opens a hibernation partition.
    /// - Throws: if it is none (any more), if it cannot be used (see `PartitionVerdict`), and if it cannot be read.
    public init(_ store: BlockStore) throws(Failure) {
        self.store = store
        block = try Mapping(anonymous: Superblock.byteCount)
        let verdict = try HibernationPartition.verdict(store, block)
        guard case .ours(let superblock, let slot) = verdict else {
            throw verdict.failure(store.path) ?? Failure("open", store.path, "it is not a hibernation partition")
        }
        self.superblock = superblock
        self.slot = slot
    }

    // MARK: Whose the device is

    /// Decides whose the device at a path is.
    /// - Throws: if it cannot be read.
    public static func verdict(_ path: String) throws(Failure) -> PartitionVerdict {
        try verdict(DeviceStore(path))
    }

    /// Decides whose a device is.
    /// - Throws: if it cannot be read.
    public static func verdict(_ store: BlockStore) throws(Failure) -> PartitionVerdict {
        try verdict(store, Mapping(anonymous: Superblock.byteCount))
    }

    private static func verdict(_ store: BlockStore, _ block: borrowing Mapping) throws(Failure) -> PartitionVerdict {
        let size = try store.byteCount()
        var slots: [[UInt8]] = []
        for offset in Superblock.slotOffsets where size >= offset + UInt64(Superblock.byteCount) {
            try store.read(into: block.bytes, at: offset)
            slots.append(Array(block.bytes))
        }
        return PartitionVerdict(store.path, slots: slots, content: try store.contentType(), byteCount: size)
    }

    /// Decides whose the device is now: that may have changed since it was opened.
    func verdict() throws(Failure) -> PartitionVerdict { try HibernationPartition.verdict(store, block) }

    /// - Throws: if the device is not ours any more, or if somebody else has written a superblock since.
    func requireOurs() throws(Failure) { try requireOurs(verdict()) }

    /// - Throws: if the device is not ours by a verdict, or if somebody else has written a superblock since.
    func requireOurs(_ verdict: PartitionVerdict) throws(Failure) {
        guard case .ours(let found, _) = verdict, found.encoded() == superblock.encoded() else {
            throw verdict.failure(path)
                ?? Failure("write", path, "somebody else has written its superblock", remedy: "try again")
        }
    }

    /// Whether the slot that counts still holds what was written there, whatever libblkid finds elsewhere.
    func holdsOwnSuperblock() throws(Failure) -> Bool {
        try store.read(into: block.bytes, at: Superblock.slotOffsets[slot])
        guard let found = try? Superblock(decoding: Array(block.bytes)) else { return false }
        return found.encoded() == superblock.encoded()
    }

    /// Makes durable what was written before by anybody, even by a process that died, and reads the superblock that counts
    /// then. Until this returns, a superblock may be in a cache of the disk only.
    public func makeDurable() throws(Failure) {
        try store.flush()
        let verdict = try verdict()
        guard case .ours(let found, let number) = verdict else {
            throw verdict.failure(path) ?? Failure("open", path, "it is not a hibernation partition")
        }
        superblock = found
        slot = number
    }

    // MARK: Changes of the superblock

    /// Writes a changed superblock into the slot that does not count, durably. A crash leaves the old superblock or the new
    /// one.
    /// - Throws: if it could not be made durable. The partition may then hold either.
    public func update(_ change: (inout Superblock) -> Void) throws(Failure) {
        var next = superblock
        change(&next)
        let (generation, overflow) = superblock.generation.addingReportingOverflow(1)
        guard !overflow else { throw Failure("write", path, "its generations are used up", remedy: "format it again") }
        next.generation = generation
        next.time = secondsSince1970()
        let nextSlot = (slot + 1) % Superblock.slotOffsets.count
        try store.flush()
        block.bytes.copyBytes(from: next.encoded())
        try store.write(UnsafeRawBufferPointer(block.bytes), at: Superblock.slotOffsets[nextSlot])
        try store.flush()
        superblock = next
        slot = nextSlot
    }

    /// Writes a superblock whose image must never be resumed again into both slots, one after the other. So no damage to
    /// one slot brings back a superblock that says `ready`.
    public func retireImage(_ change: (inout Superblock) -> Void) throws(Failure) {
        try update(change)
        try update(change)
    }

    /// Gives up the image, durably. `eraseContents` erases what is left of it.
    public func discardImage() throws(Failure) {
        try retireImage { superblock in
            let end = superblock.contentsEnd
            superblock.clearImage(state: .empty, imageUUID: .zero)
            // If there is nothing left, that stays known.
            if end > 0 { superblock.recordedContentsEnd = end }
        }
    }

    /// Gives up an image that was begun and not completed: it becomes `failed`, with a reason.
    /// - Parameter contentsEnd: the byte up to which the writer may have come; 0 if nobody knows.
    public func giveUpIncompleteImage(_ reason: String, contentsEnd: UInt64) throws(Failure) {
        try retireImage { superblock in
            superblock.state = .failed
            superblock.reason = reason
            superblock.recordedContentsEnd =
                contentsEnd == 0 ? superblock.deviceByteCount : min(contentsEnd, superblock.deviceByteCount)
        }
    }

    /// Begins an image: the superblock says `saving`, and is of the present version from now on.
    func beginImage(_ imageUUID: UUID, _ codec: Codec, _ features: Superblock.Features) throws(Failure) {
        let isOfEarlierVersion = superblock.version < Superblock.version
        try update { superblock in
            superblock.version = Superblock.version
            superblock.clearImage(state: .saving, imageUUID: imageUUID)
            // Until somebody knows how far the writer came.
            superblock.recordedContentsEnd = superblock.deviceByteCount
            superblock.codec = codec
            superblock.features = features
        }
        // An image of version 1 may have left something there.
        let end = superblock.dataArea.upperBound
        if isOfEarlierVersion { try store.writeZeros(end..<max(end, superblock.deviceByteCount)) }
    }
}
