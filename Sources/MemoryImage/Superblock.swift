// SPDX-License-Identifier: Apache-2.0
import Basics

/// The superblock of a hibernation partition: one block, in two slots that are written in turn. `docs/image-format.md` has
/// the table of its fields.
public struct Superblock: Equatable, Sendable {
    public static let magic = Array("TorporHP".utf8)
    /// The version that new images and newly formatted partitions get. Earlier versions are read, and kept.
    public static let version: UInt32 = 2
    /// The versions that are read.
    static let knownVersions: ClosedRange<UInt32> = 1...version
    /// Bytes in a superblock: one block.
    public static let byteCount = 4096
    /// Byte offsets of the two slots.
    public static let slotOffsets: [UInt64] = [0, 64 << 10]
    /// The byte at which the area of the superblocks ends. The boot files follow if there is space for them, else the data
    /// area.
    public static let dataOffset: UInt64 = 1 << 20
    /// Bytes in the smallest partition that is formatted.
    public static let minimumDeviceByteCount: UInt64 = 4 << 20
    /// Bytes at the end of the partition that hold no data since version 2. Others have their signatures there (MD RAID 1.0,
    /// the second GPT, ZFS labels), and would take bytes of an image for one.
    public static let tailByteCount: UInt64 = 1 << 20
    static let labelLimit = 64

    /// The version of the format. A change to a superblock of an earlier version keeps that version.
    public internal(set) var version = Superblock.version
    /// Each superblock has the next number. The valid slot with the higher one counts.
    public var generation: UInt64
    public var uuid: UUID
    public var label: String
    /// Bytes in the device when it was formatted, whole blocks.
    public var deviceByteCount: UInt64
    public var state: State
    /// The features of the image.
    public var features: Features = []
    /// How chunks, index and description are encrypted; 0 is not at all, and this version knows no other.
    public var cipher: UInt32 = 0
    /// The image that `state` is about; zero if there is none.
    public var imageUUID = UUID.zero
    /// Seconds since 1970 at which this superblock was written.
    public var time: UInt64 = 0
    public var descriptionExtent = Extent()
    public var indexExtent = Extent()
    public var counts = ImageCounts()
    public var codec = Codec.none
    /// How often in a row kernel C has refused the image and kept it; 0 for a new image and after a resume.
    public var refusals: UInt32 = 0
    /// Whether an attempted image was left behind for the root file system, which has changed since. Kernel C asks nobody
    /// about it.
    public var isGivenUp = false
    /// Why a state was reached that nobody wanted; at most 197 bytes of UTF-8 are kept.
    public var reason = ""
    /// Like `contentsEnd`, if the other fields do not tell it.
    var recordedContentsEnd: UInt64 = 0
    /// Bytes between the superblocks and the data area, for two slots of boot files; 0 if the partition keeps none.
    public internal(set) var bootAreaByteCount: UInt64 = 0
    /// The header of the boot files that count; of 0 bytes if there are none.
    var bootFilesExtent = Extent()
    /// How often in a row the boot files were started for this image without an answer from the kernel that they hold.
    public var unansweredStarts: UInt32 = 0
    /// Whether the next ordinary start goes on without a resume: kernel C has refused the image, and nobody answered.
    public var isResumePostponed = false

    /// The byte up to which the partition may hold contents of images, of this one and of earlier ones; 0 if they were
    /// erased.
    public var contentsEnd: UInt64 {
        let end = max(
            recordedContentsEnd, counts.storedBytes, state == .saving || mayHideContents ? deviceByteCount : 0)
        return end > dataArea.lowerBound ? min(end, deviceByteCount) : 0
    }

    /// Whether the writer of version 1 may have left contents without a trace: it cleared the counts of an image that
    /// failed or was discarded.
    private var mayHideContents: Bool {
        version == 1 && generation > 1 && (state == .failed || state == .empty) && recordedContentsEnd == 0
            && counts.storedBytes == 0
    }

    /// Records that no contents are left.
    mutating func forgetContents() {
        descriptionExtent = Extent()
        indexExtent = Extent()
        counts = ImageCounts()
        features = []
        // In version 1, 0 would not say that they were erased: see `mayHideContents`.
        recordedContentsEnd = version == 1 ? Superblock.dataOffset : 0
    }

    /// Whether formatting loses nothing: the partition holds no image, no snapshot, and no contents of one.
    public var isUnused: Bool { contentsEnd == 0 && !state.isPending && state != .snapshot }

    /// The superblock of a partition that was just formatted.
    public init(uuid: UUID, label: String, deviceByteCount: UInt64) {
        generation = 1
        self.uuid = uuid
        self.label = label
        self.deviceByteCount = deviceByteCount
        state = .empty
    }

    /// Names an image of which nothing is written yet.
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
        unansweredStarts = 0
        isResumePostponed = false
    }

    /// Both slots of boot files.
    var bootArea: DeviceRange { Superblock.dataOffset..<dataArea.lowerBound }

    /// Bytes that chunks, index and description can take: whole blocks. In version 1 they reach up to the end of the
    /// device.
    public var dataArea: DeviceRange {
        let tail = version == 1 ? 0 : Superblock.tailByteCount
        let end = (deviceByteCount - min(deviceByteCount, tail)) / UInt64(blockSize) * UInt64(blockSize)
        let start = Superblock.dataOffset + bootAreaByteCount
        return start..<max(start, end)
    }
}
