// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockStore
import Linux

/// Takes the pages of chunks.
public protocol PageSink: ~Copyable {
    /// Gives the memory for pages.
    /// - Parameter addresses: their physical addresses, in bytes; at most `ChunkReader.pieceByteCount`.
    /// - Returns: as many bytes, valid until the next call; nil if the pages are only verified.
    /// - Throws: if no page of an image may go there.
    mutating func memory(for addresses: PhysicalRange) throws(Failure) -> UnsafeMutableRawBufferPointer?

    /// Learns of free pages, which may hold anything.
    /// - Parameter addresses: their physical addresses, in bytes.
    /// - Throws: if they are no pages of the image.
    mutating func leaveAlone(_ addresses: PhysicalRange) throws(Failure)
}

/// Reads chunks for one worker. Its buffers are allocated once.
public final class ChunkReader {
    /// Bytes that a sink is asked for at once, at most.
    public static let pieceByteCount: UInt64 = 1 << 20

    private let reader: ImageReader
    private let decompressor: Decompressor
    private let chunk: Mapping
    private let pages: Mapping

    /// - Parameter isPopulated: whether the buffers take their memory now. The simulation, which reads small images by the
    ///   thousand, cannot afford that.
    init(_ reader: ImageReader, isPopulated: Bool = true) throws(Failure) {
        self.reader = reader
        decompressor = try Decompressor()
        chunk = try Mapping(anonymous: ChunkHeader.maximumByteCount, isPopulated: isPopulated)
        pages = try Mapping(anonymous: ChunkHeader.maximumPayloadByteCount, isPopulated: isPopulated)
    }

    /// Reads a chunk, verifies all of it, and then gives its pages to a sink.
    /// - Returns: the pages that it holds.
    public func read(
        _ entry: ChunkIndex.Entry, into sink: inout some PageSink & ~Copyable
    ) throws(Failure) -> PageTally {
        let bytes = UnsafeMutableRawBufferPointer(rebasing: chunk.bytes[..<Int(entry.byteCount)])
        try reader.partition.store.read(into: bytes, at: entry.offset)
        return try unpack(UnsafeRawBufferPointer(bytes), entry, into: &sink)
    }

    /// Verifies the bytes of a chunk, and then gives its pages to a sink.
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
        // Only now that the sink has taken them all: a page that it refuses is not counted.
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
            // Not final, as the checksum of the payload is right: memory may be short, or a later version knows the codec.
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
            // A sink that only verifies has nothing to do for pages that are not stored.
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
