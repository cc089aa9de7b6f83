// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// Reads one image. Workers share it, each with a `ChunkReader` of its own; a `ChunkQueue` gives each chunk to one of them.
///
/// The chain of checksums begins at the superblock: it names those of description and index, the index names that of
/// each chunk's header, and the header that of its payload.
public final class ImageReader: @unchecked Sendable {
    public let partition: HibernationPartition
    public let description: ImageDescription
    public let index: ChunkIndex

    /// Reads description and index of the image that the superblock names, and verifies both.
    public init(_ partition: HibernationPartition) throws(Failure) {
        self.partition = partition
        description = try partition.readDescription()
        index = try ChunkIndex(of: partition)
    }

    /// A new worker's reader.
    public func makeChunkReader() throws(Failure) -> ChunkReader { try ChunkReader(self) }
}

extension HibernationPartition {
    /// The largest description that is read: with a backup range of 4 GiB, its page map has 8 MiB.
    static let descriptionLimit: UInt64 = 16 << 20

    /// Reads the description of the image that the superblock names, and verifies it; nothing else of the image.
    public func readDescription() throws(Failure) -> ImageDescription {
        try ImageDescription(
            decoding: read(
                superblock.descriptionExtent, "the description", limit: HibernationPartition.descriptionLimit))
    }
}

/// Where the pages of a chunk go.
public protocol PageSink: ~Copyable {
    /// The memory for pages at physical addresses, in bytes; at most `ChunkReader.pieceByteCount` of them.
    /// - Returns: as many bytes, valid until the next call; nil where the pages are only verified.
    /// - Throws: where no page of an image may go there.
    mutating func memory(for addresses: PhysicalRange) throws(Failure) -> UnsafeMutableRawBufferPointer?

    /// Is told of pages at physical addresses, in bytes, that may hold anything.
    /// - Throws: where they are no pages of the image.
    mutating func leaveAlone(_ addresses: PhysicalRange) throws(Failure)
}

/// One worker's view of the image. Its buffers are allocated once.
public final class ChunkReader {
    /// The most bytes that are asked of a sink at once.
    public static let pieceByteCount: UInt64 = 1 << 20

    private let reader: ImageReader
    private let decompressor: Decompressor
    private let chunk: Mapping
    private let pages: Mapping

    init(_ reader: ImageReader) throws(Failure) {
        self.reader = reader
        decompressor = try Decompressor()
        chunk = try Mapping(anonymous: ChunkHeader.maximumByteCount, isPopulated: true)
        pages = try Mapping(anonymous: ChunkHeader.maximumPayloadByteCount, isPopulated: true)
    }

    /// Reads a chunk, verifies all of it, then hands its pages to the sink.
    /// - Returns: the pages that it holds.
    public func read(
        _ entry: ChunkIndex.Entry, into sink: inout some PageSink & ~Copyable
    ) throws(Failure) -> PageTally {
        let bytes = UnsafeMutableRawBufferPointer(rebasing: chunk.bytes[..<Int(entry.byteCount)])
        try reader.partition.file.read(into: bytes, at: entry.offset)
        return try unpack(UnsafeRawBufferPointer(bytes), entry, into: &sink)
    }

    /// Verifies a chunk's bytes, then hands its pages to the sink.
    func unpack(
        _ bytes: UnsafeRawBufferPointer, _ entry: ChunkIndex.Entry, into sink: inout some PageSink & ~Copyable
    ) throws(Failure) -> PageTally {
        let header: ChunkHeader
        do throws(Failure) { header = try ChunkHeader(decoding: bytes) } catch { throw damaged(entry, error.reason) }
        guard header.imageUUID == reader.index.imageUUID else { throw damaged(entry, "it belongs to another image") }
        guard header.checksum == entry.headerChecksum, header.sequence == entry.sequence,
            header.dataPages == Int(entry.dataPages), header.storedByteCount == Int(entry.byteCount)
        else { throw damaged(entry, "it is not the chunk that the index names") }
        let end = header.payloadOffset + header.payloadByteCount
        let payload = UnsafeRawBufferPointer(rebasing: bytes[header.payloadOffset..<end])
        guard xxh64(payload) == header.payloadChecksum else { throw damaged(entry, "its checksum is wrong") }
        let headerEnd = ChunkHeader.byteCount(runs: header.runs.count)
        guard isZero(UnsafeRawBufferPointer(rebasing: bytes[headerEnd..<header.payloadOffset])),
            isZero(UnsafeRawBufferPointer(rebasing: bytes[end...]))
        else { throw damaged(entry, "its padding is not zero") }

        let size = header.dataPages * Int(pageSize)
        let dataRuns = header.runs.filter { $0.kind == .data }
        if dataRuns.count == 1, let addresses = dataRuns[0].addresses,
            let memory = try sink.memory(for: addresses)
        {
            try decompress(payload, header, into: memory, entry)
        } else if header.codecNumber == Codec.none.number, payload.count == size {
            try scatter(dataRuns, payload, into: &sink)
        } else if size > 0 {
            let contents = UnsafeMutableRawBufferPointer(rebasing: pages.bytes[..<size])
            try decompress(payload, header, into: contents, entry)
            try scatter(dataRuns, UnsafeRawBufferPointer(contents), into: &sink)
        }
        for run in header.runs {
            switch run.kind {
            case .data: continue
            case .zero: try clearRun(run, in: &sink)
            case .free: if let addresses = run.addresses { try sink.leaveAlone(addresses) }
            }
        }
        // After the sink has taken them all, so that nothing is counted that nobody would take.
        var tally = PageTally()
        for run in header.runs { tally.add(run) }
        return tally
    }

    private func decompress(
        _ payload: UnsafeRawBufferPointer, _ header: ChunkHeader, into memory: UnsafeMutableRawBufferPointer,
        _ entry: ChunkIndex.Entry
    ) throws(Failure) {
        do throws(Failure) {
            try decompressor.decompress(payload, codecNumber: header.codecNumber, into: memory)
        } catch {
            // The payload's checksum is right: memory may have run short, or another version knows the codec.
            throw damaged(entry, error.reason, isFinal: false)
        }
    }

    private func scatter(
        _ runs: [PageRun], _ contents: UnsafeRawBufferPointer, into sink: inout some PageSink & ~Copyable
    ) throws(Failure) {
        var offset = 0
        for run in runs {
            guard let addresses = run.addresses else { continue }
            let size = Int(addresses.byteCount)
            if let memory = try sink.memory(for: addresses) {
                memory.copyMemory(from: UnsafeRawBufferPointer(rebasing: contents[offset..<offset + size]))
            }
            offset += size
        }
    }

    private func clearRun(_ run: PageRun, in sink: inout some PageSink & ~Copyable) throws(Failure) {
        guard let addresses = run.addresses else { return }
        var start = addresses.lowerBound
        while start < addresses.upperBound {
            let end = min(addresses.upperBound, start + ChunkReader.pieceByteCount)
            // Who only verifies does not look at what is not stored.
            guard let memory = try sink.memory(for: start..<end) else { return }
            clear(memory)
            start = end
        }
    }

    private func damaged(_ entry: ChunkIndex.Entry, _ reason: String, isFinal: Bool = true) -> Failure {
        Failure(
            "read", "chunk \(entry.sequence) at byte \(entry.offset) of \(reader.partition.path)",
            "\(reason): the image is damaged", isFinal: isFinal)
    }
}
