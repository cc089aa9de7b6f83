import Basics

/// Where the chunks of an image lie: written after them, checksummed, named by the superblock.
public struct ChunkIndex: Sendable {
    static let magic: UInt32 = 0x5844_4e49  // "INDX"
    static let fixedByteCount = 128
    static let entryByteCount = 32

    public struct Entry: Equatable, Sendable {
        /// Bytes from the partition's beginning, a multiple of the block size.
        public var offset: UInt64
        /// Bytes on the partition, a multiple of the block size.
        public var byteCount: UInt32
        public var dataPages: UInt32
        /// The chunk's number, as its header has it.
        public var sequence: UInt64
        /// The XXH64 of the chunk's header, as that has it.
        public var headerChecksum: UInt64
    }

    public var imageUUID: UUID
    public var entries: [Entry]

    public init(imageUUID: UUID, entries: [Entry] = []) {
        self.imageUUID = imageUUID
        self.entries = entries
    }

    func encoded() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: ChunkIndex.fixedByteCount)
        bytes.put(ChunkIndex.magic, at: 0)
        bytes.put(UInt32(ChunkIndex.entryByteCount), at: 4)
        bytes.put(imageUUID.bytes, at: 8, limit: 16)
        bytes.put(UInt64(entries.count), at: 24)
        // 72: 24 bytes of nonce and 16 of tag, zero while the superblock's cipher is 0.
        bytes.reserveCapacity(bytes.count + entries.count * ChunkIndex.entryByteCount)
        for entry in entries {
            bytes.append(littleEndian: entry.offset)
            bytes.append(littleEndian: entry.byteCount)
            bytes.append(littleEndian: entry.dataPages)
            bytes.append(littleEndian: entry.sequence)
            bytes.append(littleEndian: entry.headerChecksum)
        }
        return bytes
    }

    /// The index in bytes whose checksum is right, for chunks that lie within `partition`, a range of bytes.
    init(decoding bytes: [UInt8], partition: Range<UInt64>) throws(Failure) {
        func damaged(_ reason: String) -> Failure { Failure("read", "the index", reason) }
        let fields = bytes.span.bytes
        guard try fields.integer(at: 0) == ChunkIndex.magic,
            try fields.integer(at: 4) == UInt32(ChunkIndex.entryByteCount),
            let uuid = UUID(bytes: try fields.copy(at: 8, count: 16))
        else { throw damaged("it is none") }
        let count: UInt64 = try fields.integer(at: 24)
        let tableByteCount = bytes.count - ChunkIndex.fixedByteCount
        guard tableByteCount >= 0, tableByteCount % ChunkIndex.entryByteCount == 0,
            count == UInt64(tableByteCount / ChunkIndex.entryByteCount)
        else { throw damaged("its length is not that of \(count) chunks") }
        imageUUID = uuid
        entries = []
        entries.reserveCapacity(Int(count))
        // In the order of their places, none over another: a reader goes over the partition once at most.
        var end = partition.lowerBound
        for i in 0..<Int(count) {
            let at = ChunkIndex.fixedByteCount + i * ChunkIndex.entryByteCount
            let entry = Entry(
                offset: try fields.integer(at: at), byteCount: try fields.integer(at: at + 8),
                dataPages: try fields.integer(at: at + 12), sequence: try fields.integer(at: at + 16),
                headerChecksum: try fields.integer(at: at + 24))
            guard entry.offset % UInt64(blockSize) == 0, entry.byteCount % UInt32(blockSize) == 0, entry.byteCount > 0,
                entry.byteCount <= UInt32(ChunkHeader.maximumByteCount), entry.offset >= end,
                entry.offset <= partition.upperBound, UInt64(entry.byteCount) <= partition.upperBound - entry.offset
            else { throw damaged("chunk \(i) does not lie within the partition, behind the one before it") }
            entries.append(entry)
            end = entry.offset + UInt64(entry.byteCount)
        }
    }
}
