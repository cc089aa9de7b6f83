// SPDX-License-Identifier: Apache-2.0
import Basics

/// What a hibernation partition says of itself, in one 4 KiB block; `docs/image-format.md` has the table of fields.
public struct Superblock: Equatable, Sendable {
    public static let magic = Array("TorporHP".utf8)
    /// The version of new images and of partitions that are formatted now; earlier ones are read and kept.
    public static let version: UInt32 = 2
    /// The versions that are read.
    static let knownVersions: ClosedRange<UInt32> = 1...version
    /// Bytes in a superblock: one block.
    public static let byteCount = 4096
    /// Byte offsets of the two slots, written in turn.
    public static let slotOffsets: [UInt64] = [0, 64 << 10]
    /// The first byte after the area of the superblocks: chunks begin here.
    public static let dataOffset: UInt64 = 1 << 20
    /// The smallest partition that is formatted, in bytes.
    public static let minimumDeviceByteCount: UInt64 = 4 << 20
    /// Bytes at the partition's end that hold no data since version 2: others have their signatures there (MD RAID 1.0, the
    /// second GPT, labels of ZFS), and would take an image's bytes for one.
    public static let tailByteCount: UInt64 = 1 << 20
    static let labelLimit = 64
    static let reasonLimit = 256
    /// Bytes of the field that are used: behind them, in the first sector, are the tables of partition schemes that have
    /// no other signature than likely values (Atari), so that text could look like one.
    static let usedReasonLimit = 198

    /// What the partition holds.
    public enum State: UInt32, Sendable {
        /// No image has been written since the partition was formatted or its image discarded.
        case empty = 0
        /// Kernel B was writing an image; it is not complete.
        case saving = 1
        /// A complete image that waits for its resume.
        case ready = 2
        /// Kernel C began to resume the image and did not come through, or left it behind for the root filesystem: see
        /// `isGivenUp`. It is not resumed again unless a person wants it.
        case attempted = 3
        /// The image was resumed.
        case consumed = 4
        /// Writing the image failed; `reason` tells why. The session went on.
        case failed = 5
        /// A complete image whose session went on after it was saved: to look at, never to resume.
        case snapshot = 6

        /// Whether a session may still be in it that has nothing else.
        public var isPending: Bool { self == .ready || self == .attempted }
    }

    /// What a reader has to know to make anything of the partition.
    public struct Features: OptionSet, Equatable, Sendable {
        public let rawValue: UInt64
        public init(rawValue: UInt64) { self.rawValue = rawValue }

        /// The index is a table of index blocks, which lie among the chunks; without it, one piece.
        public static let indexBlocks = Features(rawValue: 1 << 0)
        /// All that this version knows.
        public static let known: Features = [.indexBlocks]

        /// The numbers of its bits, for messages: `3, 17`.
        public var bitNumbers: String {
            (0..<64).filter { rawValue >> UInt64($0) & 1 == 1 }.map { "\($0)" }.joined(separator: ", ")
        }
    }

    /// A range of the partition with the XXH64 of its bytes. In bytes; `offset` is a multiple of 4 KiB.
    public struct Extent: Equatable, Sendable {
        public var offset: UInt64 = 0
        public var byteCount: UInt64 = 0
        public var checksum: UInt64 = 0
        public init() {}
        public init(offset: UInt64, byteCount: UInt64, checksum: UInt64) {
            self.offset = offset
            self.byteCount = byteCount
            self.checksum = checksum
        }
    }

    /// The version of the format; what is changed in a superblock of an earlier one stays of that version.
    public internal(set) var version = Superblock.version
    /// Counts up with every superblock written; the valid slot with the higher one counts.
    public var generation: UInt64
    public var uuid: UUID
    public var label: String
    /// Bytes of the device when it was formatted.
    public var deviceByteCount: UInt64
    public var state: State
    /// What a reader of the image has to know.
    public var features: Features = []
    /// The encryption of chunks, index and description; 0 is none, and this version knows no other.
    public var cipher: UInt32 = 0
    /// The image that `state` is about; zero for none.
    public var imageUUID = UUID.zero
    /// Seconds since 1970 at which this superblock was written.
    public var time: UInt64 = 0
    public var descriptionExtent = Extent()
    public var indexExtent = Extent()
    public var counts = ImageCounts()
    public var codec = Codec.none
    /// How often in a row kernel C has refused the image and kept it; 0 with every new image and after a resume.
    public var refusals: UInt32 = 0
    /// Whether an attempted image was left behind for the root file system, which has changed since: nobody is asked about it.
    public var isGivenUp = false
    /// Why, where `state` says that something did not work out; at most 197 bytes of UTF-8 are kept.
    public var reason = ""
    /// As `contentsEnd`, as far as the other fields do not tell it.
    var recordedContentsEnd: UInt64 = 0

    /// Contents of images, this one's and earlier ones', may lie on the partition up to this byte; 0 if they are erased.
    public var contentsEnd: UInt64 {
        let end = max(
            recordedContentsEnd, counts.storedBytes, state == .saving || mayHideContents ? deviceByteCount : 0)
        return end > Superblock.dataOffset ? min(end, deviceByteCount) : 0
    }

    /// Whether the writer of version 1 has left contents without a trace: it cleared the counts of an image that failed or was
    /// discarded.
    private var mayHideContents: Bool {
        version == 1 && generation > 1 && (state == .failed || state == .empty) && recordedContentsEnd == 0
            && counts.storedBytes == 0
    }

    /// Notes that no contents are left.
    mutating func forgetContents() {
        descriptionExtent = Extent()
        indexExtent = Extent()
        counts = ImageCounts()
        features = []
        // In version 1, 0 would not tell whether they were erased: see `mayHideContents`.
        recordedContentsEnd = version == 1 ? Superblock.dataOffset : 0
    }

    /// Whether a format loses nothing: no image is there, nor the contents of one.
    public var isUnused: Bool { contentsEnd == 0 && !state.isPending && state != .snapshot }

    public init(uuid: UUID, label: String, deviceByteCount: UInt64) {
        generation = 1
        self.uuid = uuid
        self.label = label
        self.deviceByteCount = deviceByteCount
        state = .empty
    }

    /// Names an image that has nothing yet.
    mutating func clearImage(state: State, imageUUID: UUID) {
        self.state = state
        self.imageUUID = imageUUID
        descriptionExtent = Extent()
        indexExtent = Extent()
        counts = ImageCounts()
        features = []
        refusals = 0
        isGivenUp = false
        reason = ""
    }

    /// Bytes that chunks, index and description can take: whole blocks. In version 1 they reach up to the device's end.
    public var dataArea: DeviceRange {
        let tail = version == 1 ? 0 : Superblock.tailByteCount
        let end = (deviceByteCount - min(deviceByteCount, tail)) / UInt64(blockSize) * UInt64(blockSize)
        return Superblock.dataOffset..<max(Superblock.dataOffset, end)
    }

    /// The bytes of a slot.
    public func encoded() -> [UInt8] {
        var block = [UInt8](repeating: 0, count: Superblock.byteCount)
        block.put(Superblock.magic, at: 0, limit: 8)
        block.put(version, at: 8)
        block.put(UInt32(Superblock.byteCount), at: 12)
        block.put(generation, at: 16)
        block.put(uuid.bytes, at: 24, limit: 16)
        block.put(text: label, at: 40, limit: Superblock.labelLimit)
        block.put(deviceByteCount, at: 104)
        block.put(state.rawValue, at: 112)
        block.put(cipher, at: 116)
        block.put(imageUUID.bytes, at: 120, limit: 16)
        block.put(time, at: 136)
        for (offset, extent) in [(144, descriptionExtent), (168, indexExtent)] {
            block.put(extent.offset, at: offset)
            block.put(extent.byteCount, at: offset + 8)
            block.put(extent.checksum, at: offset + 16)
        }
        block.put(counts.chunks, at: 192)
        block.put(counts.dataPages, at: 200)
        block.put(counts.zeroPages, at: 208)
        block.put(counts.storedBytes, at: 216)
        block.put(counts.milliseconds, at: 224)
        block.put(codec.number, at: 232)
        block.put(codec.level, at: 236)
        block.put(features.rawValue, at: 240)
        block.put(refusals, at: 248)
        block.put(UInt32(isGivenUp ? 1 : 0), at: 252)
        block.put(text: reason, at: 256, limit: Superblock.usedReasonLimit)
        block.put(counts.freePages, at: 512)
        block.put(recordedContentsEnd, at: 520)
        block.put(xxh64(block, count: Superblock.byteCount - 8), at: Superblock.byteCount - 8)
        return block
    }

    /// Why a slot's bytes are no superblock.
    public enum Refusal: Error, Sendable {
        /// The magic is not there: the partition was never formatted.
        case notFormatted
        /// The magic is there, but the checksum or a field is wrong: damaged, or torn by a power cut.
        case damaged
        /// Written by a version of Torpor that this one does not know.
        case unknownVersion(UInt32)
        /// Of a known version, but with features that this one lacks.
        case unknownFeatures(Features)
    }

    /// The superblock in a slot's bytes.
    public init(decoding block: [UInt8]) throws(Refusal) {
        guard block.count == Superblock.byteCount, Array(block.prefix(8)) == Superblock.magic else {
            throw .notFormatted
        }
        let fields = block.span.bytes
        guard let sum = try? fields.integer(at: Superblock.byteCount - 8, as: UInt64.self),
            let version = try? fields.integer(at: 8, as: UInt32.self),
            sum == xxh64(block, count: Superblock.byteCount - 8)
        else { throw .damaged }
        guard Superblock.knownVersions.contains(version) else { throw .unknownVersion(version) }
        // Before any other field is looked at: they may mean something else then.
        if version > 1 {
            guard let bits: UInt64 = try? fields.integer(at: 240) else { throw .damaged }
            let unknown = Features(rawValue: bits).subtracting(.known)
            guard unknown.isEmpty else { throw .unknownFeatures(unknown) }
        }
        guard let superblock = try? Superblock(fields: fields, version: version) else { throw .damaged }
        self = superblock
    }

    /// The fields of a block whose checksum is right; a field can still hold what no version of ours writes.
    private init(fields: RawSpan, version: UInt32) throws(Failure) {
        guard let uuid = UUID(bytes: try fields.copy(at: 24, count: 16)),
            let imageUUID = UUID(bytes: try fields.copy(at: 120, count: 16)),
            let state = State(rawValue: try fields.integer(at: 112)),
            let codec = Codec(number: try fields.integer(at: 232), level: try fields.integer(at: 236))
        else { throw Failure("read", "the superblock", "a field holds an unknown value") }
        self.version = version
        generation = try fields.integer(at: 16)
        self.uuid = uuid
        label = try fields.text(at: 40, count: Superblock.labelLimit)
        deviceByteCount = try fields.integer(at: 104)
        self.state = state
        cipher = try fields.integer(at: 116)
        self.imageUUID = imageUUID
        time = try fields.integer(at: 136)
        descriptionExtent = try Superblock.extent(fields, at: 144)
        indexExtent = try Superblock.extent(fields, at: 168)
        counts.chunks = try fields.integer(at: 192)
        counts.dataPages = try fields.integer(at: 200)
        counts.zeroPages = try fields.integer(at: 208)
        counts.storedBytes = try fields.integer(at: 216)
        counts.milliseconds = try fields.integer(at: 224)
        self.codec = codec
        refusals = try fields.integer(at: 248)
        isGivenUp = try fields.integer(at: 252, as: UInt32.self) & 1 != 0
        reason = try fields.text(at: 256, count: Superblock.reasonLimit)
        recordedContentsEnd = try fields.integer(at: 520)
        guard version > 1 else { return }
        features = Features(rawValue: try fields.integer(at: 240))
        counts.freePages = try fields.integer(at: 512)
    }

    private static func extent(_ fields: RawSpan, at offset: Int) throws(Failure) -> Extent {
        Extent(
            offset: try fields.integer(at: offset), byteCount: try fields.integer(at: offset + 8),
            checksum: try fields.integer(at: offset + 16))
    }
}
