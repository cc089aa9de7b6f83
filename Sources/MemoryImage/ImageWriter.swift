import Basics
import Linux
import Synchronization

/// Writes one image. Workers share it, each with a `ChunkBuilder` of its own: the only things they share are two atomic
/// counters, and the index, which they touch once per chunk.
public final class ImageWriter: @unchecked Sendable {
    let partition: HibernationPartition
    let imageUUID: UUID
    public let codec: Codec
    private let nextOffset: Atomic<UInt64>
    private let nextSequence = Atomic<UInt64>(0)
    private let dataPages = Atomic<UInt64>(0)
    private let zeroPages = Atomic<UInt64>(0)
    private let entries: Guarded<[ChunkIndex.Entry]>

    /// Marks the partition as `saving` and begins an image on it.
    /// - Parameter expectedChunks: how many chunks room is made for at once.
    public init(
        _ partition: HibernationPartition, imageUUID: UUID, codec: Codec, expectedChunks: Int
    ) throws(Failure) {
        self.partition = partition
        self.imageUUID = imageUUID
        self.codec = codec
        nextOffset = Atomic(partition.dataArea.lowerBound)
        var entries: [ChunkIndex.Entry] = []
        entries.reserveCapacity(expectedChunks)
        self.entries = Guarded(entries)
        try partition.update { superblock in
            superblock.clearImage(state: .saving, imageUUID: imageUUID)
            superblock.codec = codec
        }
    }

    /// A new worker's builder.
    public func makeChunkBuilder() throws(Failure) -> ChunkBuilder { try ChunkBuilder(self) }

    /// Bytes written so far, and pages.
    public var progress: (storedBytes: UInt64, pages: UInt64) {
        (
            nextOffset.load(ordering: .relaxed) - partition.dataArea.lowerBound,
            dataPages.load(ordering: .relaxed) + zeroPages.load(ordering: .relaxed)
        )
    }

    func takeSequence() -> UInt64 { nextSequence.add(1, ordering: .relaxed).oldValue }

    /// Writes a finished chunk at the next free place and enters it into the index.
    func write(_ chunk: UnsafeRawBufferPointer, _ header: ChunkHeader) throws(Failure) {
        let size = UInt64(chunk.count)
        let offset = nextOffset.add(size, ordering: .relaxed).oldValue
        guard offset <= partition.dataArea.upperBound, size <= partition.dataArea.upperBound - offset else {
            throw Failure(
                "write", partition.path,
                "the image does not fit into its \(describe(bytes: partition.superblock.deviceByteCount))",
                remedy: "use a larger partition, or a codec that compresses better")
        }
        try partition.file.write(chunk, at: offset)
        dataPages.add(UInt64(header.dataPages), ordering: .relaxed)
        zeroPages.add(header.zeroPages, ordering: .relaxed)
        let entry = ChunkIndex.Entry(
            offset: offset, byteCount: UInt32(chunk.count), dataPages: UInt32(header.dataPages),
            sequence: header.sequence,
            headerChecksum: header.checksum)
        entries.withLock { $0.append(entry) }
    }

    /// Completes the image: description and index, flushed; then the superblock with its new state, flushed.
    /// - Parameter state: `ready` or `snapshot`.
    public func finish(
        _ description: ImageDescription, state: Superblock.State, milliseconds: () -> UInt64
    ) throws(Failure) {
        var offset = nextOffset.load(ordering: .relaxed)
        let descriptionExtent = try partition.write(
            description.encoded(), "the description", at: offset, limit: ImageReader.descriptionLimit)
        offset += UInt64(roundedUpToBlock(Int(descriptionExtent.byteCount)))
        var index = ChunkIndex(imageUUID: imageUUID)
        // Taken out, so that they are sorted where they are.
        entries.withLock { swap(&$0, &index.entries) }
        // Ordered by place, so that the reader reads the disk forwards.
        index.entries.sort { $0.offset < $1.offset }
        let indexExtent = try partition.write(
            index.encoded(), "the index", at: offset, limit: ImageReader.indexLimit)
        offset += UInt64(roundedUpToBlock(Int(indexExtent.byteCount)))
        try partition.file.flush()
        var counts = Superblock.Counts()
        counts.chunks = UInt64(index.entries.count)
        counts.dataPages = dataPages.load(ordering: .relaxed)
        counts.zeroPages = zeroPages.load(ordering: .relaxed)
        counts.storedBytes = offset
        counts.milliseconds = milliseconds()
        try partition.update { superblock in
            superblock.state = state
            superblock.descriptionExtent = descriptionExtent
            superblock.indexExtent = indexExtent
            superblock.counts = counts
        }
    }

    /// Notes on the partition that the image was not completed, and why.
    public func fail(_ reason: String) throws(Failure) {
        try partition.update { superblock in
            superblock.state = .failed
            superblock.reason = reason
        }
    }
}
