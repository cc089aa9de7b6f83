import Basics
import Linux
import Synchronization

/// Writes one image. Workers share it, each with a `ChunkBuilder` of its own: the only things they share are two atomic
/// counters, and the index, which they touch once per chunk.
public final class ImageWriter: @unchecked Sendable {
    let partition: HibernationPartition
    let imageUUID: UUID
    let codec: Codec
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
        let descriptionExtent = try partition.write(description.encoded(), "the description", at: offset)
        offset += UInt64(roundedUpToBlock(Int(descriptionExtent.byteCount)))
        var index = ChunkIndex(imageUUID: imageUUID)
        entries.withLock { index.entries = $0 }
        // Ordered by place, so that the reader reads the disk forwards.
        index.entries.sort { $0.offset < $1.offset }
        let indexExtent = try partition.write(index.encoded(), "the index", at: offset)
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

/// One worker's chunk in the making. Its buffers are allocated once.
public final class ChunkBuilder {
    /// Pages of zeros in one chunk, as long as they are not one run: 16 MiB.
    private static let zeroPageLimit: UInt64 = 4096

    private let writer: ImageWriter
    private let compressor: Compressor
    private let pages: Mapping
    private let output: Mapping
    private var runs: [PageRun] = []
    private var dataPages = 0
    private var zeroPages: UInt64 = 0

    init(_ writer: ImageWriter) throws(Failure) {
        self.writer = writer
        compressor = try Compressor(writer.codec, capacity: ChunkHeader.maximumPayloadByteCount)
        pages = try Mapping(anonymous: ChunkHeader.maximumPayloadByteCount)
        output = try Mapping(anonymous: ChunkHeader.maximumByteCount)
        runs.reserveCapacity(ChunkHeader.maximumRuns)
    }

    /// Adds pages with their contents, which follow each other in `contents`.
    public func addData(firstFrame: UInt64, _ contents: UnsafeRawBufferPointer) throws(Failure) {
        var frame = firstFrame
        var rest = contents
        while !rest.isEmpty {
            if dataPages == ChunkHeader.maximumDataPages { try flush() }
            let count = min(rest.count / Int(pageSize), ChunkHeader.maximumDataPages - dataPages)
            let size = count * Int(pageSize)
            try addRun(PageRun(firstFrame: frame, count: UInt32(count), kind: .data))
            let place = UnsafeMutableRawBufferPointer(rebasing: pages.bytes[(dataPages * Int(pageSize))...])
            place.copyMemory(from: UnsafeRawBufferPointer(rebasing: rest[..<(rest.startIndex + size)]))
            dataPages += count
            frame += UInt64(count)
            rest = UnsafeRawBufferPointer(rebasing: rest[(rest.startIndex + size)...])
        }
    }

    /// Adds pages of zeros.
    public func addZeros(firstFrame: UInt64, count: UInt32) throws(Failure) {
        // Clearing memory takes time too: not all of it should fall to the worker that reads this chunk.
        if zeroPages > 0, zeroPages + UInt64(count) > ChunkBuilder.zeroPageLimit { try flush() }
        try addRun(PageRun(firstFrame: firstFrame, count: count, kind: .zero))
        zeroPages += UInt64(count)
    }

    private func addRun(_ run: PageRun) throws(Failure) {
        if let last = runs.last, last.kind == run.kind, last.firstFrame + UInt64(last.count) == run.firstFrame,
            last.count <= UInt32.max - run.count
        {
            runs[runs.count - 1].count += run.count
            return
        }
        if runs.count == ChunkHeader.maximumRuns { try flush() }
        runs.append(run)
    }

    /// Writes the chunk as it is, if there is anything in it.
    public func flush() throws(Failure) {
        if runs.isEmpty { return }
        let payload = UnsafeRawBufferPointer(rebasing: pages.bytes[..<(dataPages * Int(pageSize))])
        let headerByteCount = ChunkHeader.byteCount(runs: runs.count)
        var header = ChunkHeader(
            imageUUID: writer.imageUUID, sequence: writer.takeSequence(), codecNumber: writer.codec.number, runs: runs,
            dataPages: dataPages, zeroPages: zeroPages, payloadOffset: (headerByteCount + 63) / 64 * 64,
            payloadByteCount: 0, payloadChecksum: 0)
        let room = UnsafeMutableRawBufferPointer(rebasing: output.bytes[header.payloadOffset...])
        // Compression that saves no block is not worth undoing.
        let limit = payload.count - min(payload.count, blockSize)
        if limit > 0, let size = try compressor.compress(payload, into: room, limit: limit) {
            header.payloadByteCount = size
        } else {
            header.codecNumber = Codec.none.number
            header.payloadOffset = roundedUpToBlock(headerByteCount)
            header.payloadByteCount = payload.count
            UnsafeMutableRawBufferPointer(rebasing: output.bytes[header.payloadOffset...]).copyMemory(from: payload)
        }
        let end = header.payloadOffset + header.payloadByteCount
        header.payloadChecksum = crc64(UnsafeRawBufferPointer(rebasing: output.bytes[header.payloadOffset..<end]))
        let (bytes, checksum) = header.encoded()
        header.checksum = checksum
        output.bytes.copyBytes(from: bytes)
        // Nothing of an earlier chunk is left between and behind the parts.
        clear(UnsafeMutableRawBufferPointer(rebasing: output.bytes[bytes.count..<header.payloadOffset]))
        clear(UnsafeMutableRawBufferPointer(rebasing: output.bytes[end..<header.storedByteCount]))
        try writer.write(UnsafeRawBufferPointer(rebasing: output.bytes[..<header.storedByteCount]), header)
        runs.removeAll(keepingCapacity: true)
        dataPages = 0
        zeroPages = 0
    }
}
