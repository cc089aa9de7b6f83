// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockStore
import Linux
import Synchronization

/// Writes one image. Workers share it, each with a `ChunkBuilder` of its own: they have some atomic counters in common, and
/// the index, which each of them takes once for a chunk. Its memory does not grow with the image.
public final class ImageWriter: @unchecked Sendable {
    let partition: HibernationPartition
    let imageUUID: UUID
    public let codec: Codec
    private let nextOffset: Atomic<UInt64>
    private let nextSequence = Atomic<UInt64>(0)
    private let dataPages = Atomic<UInt64>(0)
    private let zeroPages = Atomic<UInt64>(0)
    private let freePages = Atomic<UInt64>(0)
    private let index: Locked<IndexWriter>

    /// The byte up to which contents of earlier images may lie that were not erased.
    private let earlierContentsEnd: UInt64
    private let willWrite: @Sendable (UInt64) -> Void

    /// Marks the partition as `saving` and begins an image on it.
    /// - Parameter willWrite: is called by any worker with the byte up to which the partition may hold contents from now on,
    ///   before anything is written that far.
    /// - Throws: if the partition is not ours any more, too.
    public convenience init(
        _ partition: HibernationPartition, imageUUID: UUID, codec: Codec,
        willWrite: @escaping @Sendable (UInt64) -> Void = { _ in }
    ) throws(Failure) {
        try self.init(
            partition, imageUUID: imageUUID, codec: codec, index: IndexWriter(partition, imageUUID: imageUUID),
            willWrite: willWrite)
    }

    init(
        _ partition: HibernationPartition, imageUUID: UUID, codec: Codec, index: IndexWriter,
        willWrite: @escaping @Sendable (UInt64) -> Void = { _ in }
    ) throws(Failure) {
        self.willWrite = willWrite
        self.partition = partition
        self.imageUUID = imageUUID
        self.codec = codec
        self.index = Locked(index)
        earlierContentsEnd = partition.superblock.contentsEnd
        try partition.requireOurs()
        try partition.beginImage(imageUUID, codec, .indexBlocks)
        // The superblock is of the present version now, whose data area differs from that of version 1.
        nextOffset = Atomic(partition.dataArea.lowerBound)
        willWrite(max(earlierContentsEnd, partition.dataArea.lowerBound))
    }

    /// A new worker's builder.
    public func makeChunkBuilder() throws(Failure) -> ChunkBuilder { try ChunkBuilder(self) }

    func takeSequence() -> UInt64 { nextSequence.add(1, ordering: .relaxed).oldValue }

    /// Takes the next free place for some bytes: whole blocks of the data area.
    private func reserve(_ byteCount: Int) throws(Failure) -> UInt64 {
        let size = UInt64(roundedUpToBlock(byteCount))
        let offset = nextOffset.add(size, ordering: .relaxed).oldValue
        guard offset <= partition.dataArea.upperBound, size <= partition.dataArea.upperBound - offset else {
            throw Failure(
                "write", partition.path,
                "the image does not fit into its \(describe(bytes: partition.superblock.deviceByteCount))",
                remedy: "use a larger partition, or a codec that compresses better")
        }
        willWrite(max(earlierContentsEnd, offset + size))
        return offset
    }

    /// Writes a finished chunk to the next free place and adds it to the index.
    func write(_ chunk: UnsafeRawBufferPointer, _ header: ChunkHeader) throws(Failure) {
        let offset = try reserve(chunk.count)
        try partition.store.write(chunk, at: offset)
        dataPages.add(UInt64(header.dataPages), ordering: .relaxed)
        zeroPages.add(header.zeroPages, ordering: .relaxed)
        for run in header.runs where run.kind == .free { freePages.add(UInt64(run.count), ordering: .relaxed) }
        let entry = ChunkIndex.Entry(
            offset: offset, byteCount: UInt32(chunk.count), dataPages: UInt32(header.dataPages),
            sequence: header.sequence,
            headerChecksum: header.checksum)
        try index.withLock { index throws(Failure) in try index.add(entry, reserve: reserve) }
    }

    /// Completes the image: writes description and index and flushes all data, then writes the superblock with its new
    /// state and flushes it.
    /// - Parameter state: `ready` or `snapshot`.
    public func finish(
        _ description: ImageDescription, state: Superblock.State, milliseconds: () -> UInt64
    ) throws(Failure) {
        var description = description
        description.writer = torporVersion
        let bytes = description.encoded()
        let descriptionExtent = try partition.write(
            bytes, "the description", at: reserve(bytes.count), limit: HibernationPartition.descriptionLimit)
        var counts = ImageCounts()
        let indexExtent = try index.withLock { index throws(Failure) in
            counts.chunks = index.chunkCount
            return try index.finish(reserve: reserve)
        }
        try partition.store.flush()
        counts.dataPages = dataPages.load(ordering: .relaxed)
        counts.zeroPages = zeroPages.load(ordering: .relaxed)
        counts.freePages = freePages.load(ordering: .relaxed)
        counts.storedBytes = nextOffset.load(ordering: .relaxed)
        counts.milliseconds = milliseconds()
        try requireOurs(upTo: counts.storedBytes)
        try partition.update { superblock in
            superblock.state = state
            superblock.recordedContentsEnd = earlierContentsEnd
            superblock.descriptionExtent = descriptionExtent
            superblock.indexExtent = indexExtent
            superblock.counts = counts
        }
    }

    /// Refuses to complete an image in which libblkid finds a signature: nobody would take the partition for ours. The
    /// signature came with kernel A's memory, and is erased.
    private func requireOurs(upTo end: UInt64) throws(Failure) {
        let verdict = try partition.verdict()
        do throws(Failure) { try partition.requireOurs(verdict) } catch {
            // If our superblock is gone, the partition is another's, and so is the signature.
            guard case .foreign(_, wasOurs: true) = verdict, try partition.holdsOwnSuperblock(),
                try partition.store.eraseSignatures(within: partition.dataArea.lowerBound..<end)
            else { throw error }
            throw Failure(
                "write", partition.path, "the image looks like something else: \(error.reason)",
                remedy: "try again, or with another codec")
        }
    }

    /// Records on the partition that the image was not completed, and why.
    /// - Throws: if the partition is not ours any more, too.
    public func fail(_ reason: String) throws(Failure) {
        try partition.requireOurs()
        let end = max(earlierContentsEnd, min(nextOffset.load(ordering: .relaxed), partition.dataArea.upperBound))
        try partition.update { superblock in
            superblock.state = .failed
            superblock.reason = reason
            superblock.recordedContentsEnd = end
        }
    }
}
