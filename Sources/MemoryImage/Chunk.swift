// SPDX-License-Identifier: Apache-2.0
import Basics

/// Pages that follow each other in physical memory and are alike in what the image has of them.
public struct PageRun: Equatable, Sendable {
    public enum Kind: UInt32, Sendable {
        /// Their contents are stored.
        case data = 1
        /// They are zeros.
        case zero = 2
        /// They were free in kernel A, to which it does not matter what they hold.
        case free = 3
    }

    /// The page frame number of the first page: its physical address divided by 4 KiB.
    public var firstFrame: UInt64
    /// Pages in the run.
    public var count: UInt32
    public var kind: Kind

    public init(firstFrame: UInt64, count: UInt32, kind: Kind) {
        self.firstFrame = firstFrame
        self.count = count
        self.kind = kind
    }

    /// The physical addresses of its pages, in bytes; nil where they lie beyond 2^52, x86_64's limit.
    public var addresses: PhysicalRange? {
        let limit: UInt64 = 1 << 40
        guard firstFrame < limit, UInt64(count) <= limit - firstFrame else { return nil }
        return firstFrame * pageSize..<(firstFrame + UInt64(count)) * pageSize
    }
}

/// The header of a chunk. It tells by itself what the chunk is: a chunk read from the wrong place, or one of an older
/// image, is recognised.
public struct ChunkHeader: Sendable {
    static let magic: UInt32 = 0x4b4e_4843  // "CHNK"
    static let fixedByteCount = 128
    static let runByteCount = 16
    /// Pages whose contents one chunk holds at most.
    public static let maximumDataPages = 256
    /// Runs in one chunk at most.
    public static let maximumRuns = 496
    /// Bytes of the longest header, and of the payload before compression: both whole blocks.
    static let maximumHeaderByteCount = fixedByteCount + maximumRuns * runByteCount
    static let maximumPayloadByteCount = maximumDataPages * Int(pageSize)
    /// Bytes of the longest chunk.
    public static let maximumByteCount = roundedUpToBlock(maximumHeaderByteCount) + maximumPayloadByteCount

    public var imageUUID: UUID
    public var sequence: UInt64
    public var codecNumber: UInt32
    public var runs: [PageRun]
    public var dataPages: Int
    /// Pages whose contents are not stored: zeros, and free ones.
    public var zeroPages: UInt64
    /// Where the payload begins, in bytes from the chunk's first.
    public var payloadOffset: Int
    /// Bytes of the payload as it is stored.
    public var payloadByteCount: Int
    public var payloadChecksum: UInt64
    /// The XXH64 of the header; the index names it as well.
    public var checksum: UInt64 = 0

    /// Bytes of the chunk on the partition, a multiple of the block size.
    public var storedByteCount: Int { roundedUpToBlock(payloadOffset + payloadByteCount) }

    /// Bytes of the header for a count of runs.
    static func byteCount(runs: Int) -> Int { fixedByteCount + runs * runByteCount }

    /// The header's bytes.
    /// - Returns: the bytes, and their XXH64 as the field `checksum` holds it.
    func encoded() -> (bytes: [UInt8], checksum: UInt64) {
        var bytes = [UInt8](repeating: 0, count: ChunkHeader.byteCount(runs: runs.count))
        bytes.put(ChunkHeader.magic, at: 0)
        bytes.put(UInt32(bytes.count), at: 4)
        bytes.put(imageUUID.bytes, at: 8, limit: 16)
        bytes.put(sequence, at: 24)
        bytes.put(codecNumber, at: 32)
        bytes.put(UInt32(runs.count), at: 36)
        bytes.put(UInt32(dataPages), at: 40)
        bytes.put(UInt32(payloadOffset), at: 44)
        bytes.put(UInt32(payloadByteCount), at: 48)
        bytes.put(zeroPages, at: 56)
        bytes.put(payloadChecksum, at: 64)
        // 72: 24 bytes of nonce and 16 of tag, zero while the superblock's cipher is 0.
        var offset = ChunkHeader.fixedByteCount
        for run in runs {
            bytes.put(run.firstFrame, at: offset)
            bytes.put(run.count, at: offset + 8)
            bytes.put(run.kind.rawValue, at: offset + 12)
            offset += ChunkHeader.runByteCount
        }
        let sum = xxh64(bytes)
        bytes.put(sum, at: 112)
        return (bytes, sum)
    }
}

extension ChunkHeader {
    /// The header at the beginning of a chunk's bytes, checked by itself: its checksum, its lengths and counts.
    ///
    /// Where the pages lie is for the caller to check.
    init(decoding chunk: UnsafeRawBufferPointer) throws(Failure) {
        func damaged(_ reason: String) -> Failure { Failure("read", "a chunk's header", reason) }
        let fields = chunk.bytes
        guard try fields.integer(at: 0) == ChunkHeader.magic else { throw damaged("its magic is missing") }
        let headerByteCount = Int(try fields.integer(at: 4, as: UInt32.self))
        let runCount = Int(try fields.integer(at: 36, as: UInt32.self))
        guard runCount <= ChunkHeader.maximumRuns, headerByteCount == ChunkHeader.byteCount(runs: runCount),
            headerByteCount <= chunk.count
        else { throw damaged("its length is wrong") }
        checksum = try fields.integer(at: 112)
        var header = try fields.copy(at: 0, count: headerByteCount)
        header.put(UInt64(0), at: 112)
        guard xxh64(header) == checksum else { throw damaged("its checksum is wrong") }
        guard let uuid = UUID(bytes: try fields.copy(at: 8, count: 16)) else { throw damaged("its UUID is missing") }
        imageUUID = uuid
        sequence = try fields.integer(at: 24)
        codecNumber = try fields.integer(at: 32)
        dataPages = Int(try fields.integer(at: 40, as: UInt32.self))
        payloadOffset = Int(try fields.integer(at: 44, as: UInt32.self))
        payloadByteCount = Int(try fields.integer(at: 48, as: UInt32.self))
        zeroPages = try fields.integer(at: 56)
        payloadChecksum = try fields.integer(at: 64)
        guard dataPages <= ChunkHeader.maximumDataPages, payloadOffset >= headerByteCount,
            payloadByteCount <= ChunkHeader.maximumPayloadByteCount, payloadOffset + payloadByteCount <= chunk.count
        else { throw damaged("its lengths do not fit it") }
        runs = []
        runs.reserveCapacity(runCount)
        var counted: (data: UInt64, zero: UInt64) = (0, 0)
        for i in 0..<runCount {
            let offset = ChunkHeader.fixedByteCount + i * ChunkHeader.runByteCount
            guard let kind = PageRun.Kind(rawValue: try fields.integer(at: offset + 12)) else {
                throw damaged("a run is of an unknown kind")
            }
            let run = PageRun(
                firstFrame: try fields.integer(at: offset), count: try fields.integer(at: offset + 8), kind: kind)
            guard run.addresses != nil, run.count > 0 else { throw damaged("a run lies beyond physical memory") }
            if kind == .data { counted.data += UInt64(run.count) } else { counted.zero += UInt64(run.count) }
            runs.append(run)
        }
        guard counted.data == UInt64(dataPages), counted.zero == zeroPages else {
            throw damaged("its counts differ from its runs")
        }
    }
}

/// Bytes in a block of the partition: everything but the inside of a chunk is a multiple of it.
public let blockSize = 4096

func roundedUpToBlock(_ count: Int) -> Int { (count + blockSize - 1) / blockSize * blockSize }
