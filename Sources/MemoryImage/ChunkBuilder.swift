// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// One worker's chunk in the making. Its buffers are allocated once.
///
/// Pages are copied only where they have to be: a run that fills a chunk is compressed from where it lies, and what does
/// not compress is written from where it was gathered, with the header in front.
public final class ChunkBuilder {
    /// Pages of zeros in one chunk, as long as they are not one run: 16 MiB.
    private static let clearedPageLimit: UInt64 = 4096
    /// Where gathered pages begin in `gathered`: room for the longest header is in front of them.
    private static let gatheredOffset = roundedUpToBlock(ChunkHeader.maximumHeaderByteCount)

    private let writer: ImageWriter
    private let compressor: Compressor
    private let gathered: Mapping
    private let output: Mapping
    private var runs: [PageRun] = []
    private var dataPages = 0
    /// Pages of zeros, which whoever reads the chunk has to clear.
    private var clearedPages: UInt64 = 0
    private var freePages: UInt64 = 0

    init(_ writer: ImageWriter) throws(Failure) {
        self.writer = writer
        compressor = try Compressor(writer.codec)
        gathered = try Mapping(
            anonymous: ChunkBuilder.gatheredOffset + ChunkHeader.maximumPayloadByteCount, isPopulated: true)
        output = try Mapping(anonymous: ChunkHeader.maximumByteCount, isPopulated: true)
        runs.reserveCapacity(ChunkHeader.maximumRuns)
    }

    /// Adds pages, those of zeros as such. They are whole pages, which follow each other in `contents`, and are valid until
    /// this returns.
    /// - Parameter goesOn: is told of each part that was taken, in pages, and whether they are zeros; ends the call with false.
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
            // A run of data is taken in pieces of a chunk, so that progress is seen and failures are noticed.
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

    /// Adds pages with their contents, which follow each other in `contents`: whole pages, valid until this returns.
    public func addData(firstFrame: UInt64, _ contents: UnsafeRawBufferPointer) throws(Failure) {
        let page = Int(pageSize)
        guard contents.count % page == 0 else {
            throw Failure("add", "\(contents.count) bytes to a chunk", "they are no whole pages")
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

    /// Adds pages of zeros.
    public func addZeros(firstFrame: UInt64, count: UInt32) throws(Failure) {
        if count == 0 { return }
        // Clearing memory takes time too: not all of it should fall to the worker that reads this chunk.
        if clearedPages > 0, clearedPages + UInt64(count) > ChunkBuilder.clearedPageLimit { try flush() }
        try addRun(PageRun(firstFrame: firstFrame, count: count, kind: .zero))
        clearedPages += UInt64(count)
    }

    /// Adds pages that were free in kernel A, to which it does not matter what they hold.
    public func addFreePages(firstFrame: UInt64, count: UInt32) throws(Failure) {
        if count == 0 { return }
        try addRun(PageRun(firstFrame: firstFrame, count: count, kind: .free))
        freePages += UInt64(count)
    }

    /// Writes the chunk as it is, if there is anything in it.
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

    /// Writes the chunk, whose pages are in `pages`.
    private func flush(from pages: UnsafeRawBufferPointer, areGathered: Bool) throws(Failure) {
        if runs.isEmpty { return }
        var header = ChunkHeader(
            imageUUID: writer.imageUUID, sequence: writer.takeSequence(), codecNumber: writer.codec.number, runs: runs,
            dataPages: dataPages, zeroPages: clearedPages + freePages, payloadOffset: 0, payloadByteCount: 0,
            payloadChecksum: 0)
        let headerByteCount = ChunkHeader.byteCount(runs: runs.count)
        header.payloadOffset = (headerByteCount + 63) / 64 * 64
        let room = UnsafeMutableRawBufferPointer(rebasing: output.bytes[header.payloadOffset...])
        // Compression that saves no block is not worth undoing.
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

    /// Writes a chunk whose payload is in its place behind the header's, which begins at `start` in `buffer`.
    private func write(_ header: inout ChunkHeader, _ buffer: borrowing Mapping, from start: Int) throws(Failure) {
        let chunk = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[start..<start + header.storedByteCount])
        let end = header.payloadOffset + header.payloadByteCount
        header.payloadChecksum = xxh64(UnsafeRawBufferPointer(rebasing: chunk[header.payloadOffset..<end]))
        let (bytes, checksum) = header.encoded()
        header.checksum = checksum
        chunk.copyBytes(from: bytes)
        // Nothing of an earlier chunk is left between and behind the parts.
        clear(UnsafeMutableRawBufferPointer(rebasing: chunk[bytes.count..<header.payloadOffset]))
        clear(UnsafeMutableRawBufferPointer(rebasing: chunk[end...]))
        try writer.write(UnsafeRawBufferPointer(chunk), header)
    }
}
