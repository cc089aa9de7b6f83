// SPDX-License-Identifier: Apache-2.0
import Basics

/// The header of a chunk. It says by itself which chunk it is, so that a chunk from a wrong place or of an older image is
/// noticed.
public struct ChunkHeader: Sendable {
    static let magic: UInt32 = 0x4b4e_4843  // "CHNK"
    static let fixedByteCount = 128
    /// Pages that one chunk stores at most.
    public static let maximumDataPages = 256
    /// Runs in one chunk at most.
    public static let maximumRuns = 496
    /// Bytes in the longest header, and in the longest payload before it is compressed: both whole blocks.
    static let maximumHeaderByteCount = fixedByteCount + maximumRuns * PageRun.byteCount
    static let maximumPayloadByteCount = maximumDataPages * Int(pageSize)
    /// Bytes in the longest chunk.
    public static let maximumByteCount = roundedUpToBlock(maximumHeaderByteCount) + maximumPayloadByteCount

    public var imageUUID: UUID
    public var sequence: UInt64
    public var codecNumber: UInt32
    public var runs: [PageRun]
    public var dataPages: Int
    /// Pages whose contents are not stored: zero pages and free pages.
    public var zeroPages: UInt64
    /// The offset of the payload, in bytes from the beginning of the chunk.
    public var payloadOffset: Int
    /// Bytes of the payload as it is stored.
    public var payloadByteCount: Int
    public var payloadChecksum: UInt64
    /// The XXH64 of the header, computed with zeros in this field. The index has it too.
    public var checksum: UInt64 = 0

    /// Bytes of the chunk on the partition: whole blocks.
    public var storedByteCount: Int { roundedUpToBlock(payloadOffset + payloadByteCount) }

    /// Bytes in a header with so many runs.
    static func byteCount(runs: Int) -> Int { fixedByteCount + runs * PageRun.byteCount }

    private static let checksumOffset = 112

    /// The fields in front of the runs.
    /// - Parameters:
    ///   - byteCount: bytes in the header.
    ///   - runCount: how many runs follow.
    private mutating func fields<Coder: FieldCoder>(
        _ coder: inout Coder, _ byteCount: inout Int, _ runCount: inout Int
    ) throws(Coder.Refusal) {
        try coder.constant(ChunkHeader.magic, at: 0, "its magic is missing")
        try coder.count(&byteCount, at: 4)
        try coder.uuid(&imageUUID, at: 8)
        try coder.integer(&sequence, at: 24)
        try coder.integer(&codecNumber, at: 32)
        try coder.count(&runCount, at: 36)
        try coder.count(&dataPages, at: 40)
        try coder.count(&payloadOffset, at: 44)
        try coder.count(&payloadByteCount, at: 48)
        try coder.integer(&zeroPages, at: 56)
        try coder.integer(&payloadChecksum, at: 64)
        // 72: 24 bytes of nonce and 16 of tag, zero while the cipher of the superblock is 0.
        try coder.integer(&checksum, at: ChunkHeader.checksumOffset)
    }

    private static func offset(ofRun number: Int) -> Int { fixedByteCount + number * PageRun.byteCount }

    /// The bytes of the header.
    /// - Returns: the bytes, and the checksum that they contain.
    func encoded() -> (bytes: [UInt8], checksum: UInt64) {
        var copy = self
        var byteCount = ChunkHeader.byteCount(runs: runs.count), runCount = runs.count
        var writer = FieldWriter(byteCount: byteCount)
        copy.checksum = 0
        copy.fields(&writer, &byteCount, &runCount)
        for number in 0..<runCount { copy.runs[number].fields(&writer, at: ChunkHeader.offset(ofRun: number)) }
        let sum = xxh64(writer.bytes)
        writer.put(sum, at: ChunkHeader.checksumOffset)
        return (writer.bytes, sum)
    }
}

extension ChunkHeader {
    /// The header at the beginning of a chunk's bytes. Its checksum, its lengths and its counts are verified; the caller
    /// verifies where the pages are.
    init(decoding chunk: UnsafeRawBufferPointer) throws(Failure) {
        func damaged(_ reason: String) -> Failure { Failure("read", "a chunk's header", reason) }
        self.init(
            imageUUID: .zero, sequence: 0, codecNumber: 0, runs: [], dataPages: 0, zeroPages: 0, payloadOffset: 0,
            payloadByteCount: 0, payloadChecksum: 0)
        var byteCount = 0, runCount = 0
        var reader = FieldReader(Array(chunk.prefix(ChunkHeader.fixedByteCount)), of: "a chunk's header")
        try fields(&reader, &byteCount, &runCount)
        guard runCount <= ChunkHeader.maximumRuns, byteCount == ChunkHeader.byteCount(runs: runCount),
            byteCount <= chunk.count
        else { throw damaged("its length is wrong") }
        var header = Array(chunk.prefix(byteCount))
        header.put(UInt64(0), at: ChunkHeader.checksumOffset)
        guard xxh64(header) == checksum else { throw damaged("its checksum is wrong") }
        guard dataPages <= ChunkHeader.maximumDataPages, payloadOffset >= byteCount,
            payloadByteCount <= ChunkHeader.maximumPayloadByteCount, payloadOffset + payloadByteCount <= chunk.count
        else { throw damaged("its lengths do not fit it") }
        reader = FieldReader(header, of: "a chunk's header")
        runs.reserveCapacity(runCount)
        var counted: (data: UInt64, zero: UInt64) = (0, 0)
        for number in 0..<runCount {
            var run = PageRun(firstFrame: 0, count: 0, kind: .data)
            try run.fields(&reader, at: ChunkHeader.offset(ofRun: number))
            guard run.addresses != nil, run.count > 0 else { throw damaged("a run lies beyond physical memory") }
            if run.kind == .data { counted.data += UInt64(run.count) } else { counted.zero += UInt64(run.count) }
            runs.append(run)
        }
        guard counted.data == UInt64(dataPages), counted.zero == zeroPages else {
            throw damaged("its counts differ from its runs")
        }
    }
}
