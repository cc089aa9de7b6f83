// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// Collects pages into chunks for one worker. Its buffers are allocated once.
///
/// Pages are copied only if necessary. A run that fills a chunk is compressed from where it is. Pages that were gathered
/// and do not compress are written from there, with the header in front.
public final class ChunkBuilder {
    /// Zero pages in one chunk, unless they are one run: 16 MiB.
    private static let clearedPageLimit: UInt64 = 4096
    /// The offset of gathered pages in `gathered`, behind space for the longest header.
    private static let gatheredOffset = roundedUpToBlock(ChunkHeader.maximumHeaderByteCount)

    private let writer: ImageWriter
    private let compressor: Compressor
    private let gathered: Mapping
    private let output: Mapping
    private var runs: [PageRun] = []
    private var dataPages = 0
    /// Zero pages. Whoever restores the chunk has to clear memory for them.
    private var clearedPages: UInt64 = 0
    private var freePages: UInt64 = 0

    /// - Parameter isPopulated: whether the buffers take their memory now. The simulation, which writes small images by the
    ///   thousand, cannot afford that.
    init(_ writer: ImageWriter, isPopulated: Bool = true) throws(Failure) {
        self.writer = writer
        compressor = try Compressor(writer.codec)
        gathered = try Mapping(
            anonymous: ChunkBuilder.gatheredOffset + ChunkHeader.maximumPayloadByteCount,
            isPopulated: isPopulated)
        output = try Mapping(anonymous: ChunkHeader.maximumByteCount, isPopulated: isPopulated)
        runs.reserveCapacity(ChunkHeader.maximumRuns)
    }

    /// Adds pages, and finds out which of them are zero pages.
    /// - Parameters:
    ///   - contents: whole pages, which follow each other; valid until this returns.
    ///   - goesOn: is called for each part that was taken, with its pages and whether they are zero pages; ends the call with
    ///     false.
    public func addPages(
        firstFrame: UInt64, _ contents: UnsafeRawBufferPointer, _ goesOn: (_ pages: UInt64, _ areZeros: Bool) -> Bool
    ) throws(Failure) {
        let page = Int(pageSize)
        let pageCount = contents.count / page
        func isZeroPage(_ number: Int) -> Bool {
            isZero(UnsafeRawBufferPointer(rebasing: contents[number * page..<(number + 1) * page]))
        }
        var start = 0
        while start < pageCount {
            let isRunOfZeros = isZeroPage(start)
            var end = start + 1
            // In pieces of a chunk, so that the caller can show progress and notice failures.
            while end < pageCount, isRunOfZeros || end - start < ChunkHeader.maximumDataPages,
                isZeroPage(end) == isRunOfZeros
            { end += 1 }
            let frame = firstFrame + UInt64(start)
            if isRunOfZeros {
                try addZeros(firstFrame: frame, count: UInt32(end - start))
            } else {
                try addData(
                    firstFrame: frame, UnsafeRawBufferPointer(rebasing: contents[start * page..<end * page]))
            }
            if !goesOn(UInt64(end - start), isRunOfZeros) { return }
            start = end
        }
    }

    /// Adds pages with their contents.
    /// - Parameter contents: whole pages, which follow each other; valid until this returns.
    public func addData(firstFrame: UInt64, _ contents: UnsafeRawBufferPointer) throws(Failure) {
        let page = Int(pageSize)
        guard contents.count % page == 0 else {
            throw Failure("add", "\(contents.count) bytes to a chunk", "they are not whole pages")
        }
        var frame = firstFrame
        var rest = contents
        while !rest.isEmpty {
            let isWholeChunk = rest.count >= ChunkHeader.maximumPayloadByteCount
            if dataPages == ChunkHeader.maximumDataPages || isWholeChunk && dataPages > 0 { try flush() }
            let count = min(rest.count / page, ChunkHeader.maximumDataPages - dataPages)
            let piece = UnsafeRawBufferPointer(rebasing: rest[..<(count * page)])
            try addRun(PageRun(firstFrame: frame, count: UInt32(count), kind: .data))
            dataPages += count
            if isWholeChunk {
                try flush(from: piece, areGathered: false)
            } else {
                gather(piece, behind: dataPages - count)
            }
            frame += UInt64(count)
            rest = UnsafeRawBufferPointer(rebasing: rest[(count * page)...])
        }
    }

    /// Adds zero pages.
    public func addZeros(firstFrame: UInt64, count: UInt32) throws(Failure) {
        if count == 0 { return }
        // Clearing memory takes time too, and one worker restores this chunk.
        if clearedPages > 0, clearedPages + UInt64(count) > ChunkBuilder.clearedPageLimit { try flush() }
        try addRun(PageRun(firstFrame: firstFrame, count: count, kind: .zero))
        clearedPages += UInt64(count)
    }

    /// Adds pages that were free in kernel A; their contents are irrelevant.
    public func addFreePages(firstFrame: UInt64, count: UInt32) throws(Failure) {
        if count == 0 { return }
        try addRun(PageRun(firstFrame: firstFrame, count: count, kind: .free))
        freePages += UInt64(count)
    }

    /// Writes the chunk as it is, unless it is empty.
    public func flush() throws(Failure) {
        let start = ChunkBuilder.gatheredOffset
        let pages = gathered.bytes[start..<start + dataPages * Int(pageSize)]
        try flush(from: UnsafeRawBufferPointer(rebasing: pages), areGathered: true)
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

    private func gather(_ pages: UnsafeRawBufferPointer, behind count: Int) {
        let start = ChunkBuilder.gatheredOffset + count * Int(pageSize)
        UnsafeMutableRawBufferPointer(rebasing: gathered.bytes[start...]).copyMemory(from: pages)
    }

    /// Writes the chunk, whose stored pages are in `pages`.
    private func flush(from pages: UnsafeRawBufferPointer, areGathered: Bool) throws(Failure) {
        if runs.isEmpty { return }
        var header = ChunkHeader(
            imageUUID: writer.imageUUID, sequence: writer.takeSequence(), codecNumber: writer.codec.number, runs: runs,
            dataPages: dataPages, zeroPages: clearedPages + freePages, payloadOffset: 0, payloadByteCount: 0,
            payloadChecksum: 0)
        let headerByteCount = ChunkHeader.byteCount(runs: runs.count)
        header.payloadOffset = (headerByteCount + 63) / 64 * 64
        let room = UnsafeMutableRawBufferPointer(rebasing: output.bytes[header.payloadOffset...])
        // A payload that is not a block smaller is not worth decompressing.
        let limit = pages.count - min(pages.count, blockSize)
        if limit > 0, let size = try compressor.compress(pages, into: room, limit: limit) {
            header.payloadByteCount = size
            try write(&header, output, from: 0)
        } else {
            header.codecNumber = Codec.none.number
            header.payloadOffset = roundedUpToBlock(headerByteCount)
            header.payloadByteCount = pages.count
            if !areGathered { gather(pages, behind: 0) }
            try write(&header, gathered, from: ChunkBuilder.gatheredOffset - header.payloadOffset)
        }
        runs.removeAll(keepingCapacity: true)
        dataPages = 0
        clearedPages = 0
        freePages = 0
    }

    /// Writes a chunk that begins at `start` in `buffer`, with its payload in place behind the space for the header.
    private func write(_ header: inout ChunkHeader, _ buffer: borrowing Mapping, from start: Int) throws(Failure) {
        let chunk = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[start..<start + header.storedByteCount])
        let end = header.payloadOffset + header.payloadByteCount
        header.payloadChecksum = xxh64(UnsafeRawBufferPointer(rebasing: chunk[header.payloadOffset..<end]))
        let (bytes, checksum) = header.encoded()
        header.checksum = checksum
        chunk.copyBytes(from: bytes)
        // The padding may still hold parts of an earlier chunk.
        clear(UnsafeMutableRawBufferPointer(rebasing: chunk[bytes.count..<header.payloadOffset]))
        clear(UnsafeMutableRawBufferPointer(rebasing: chunk[end...]))
        try writer.write(UnsafeRawBufferPointer(chunk), header)
    }
}
