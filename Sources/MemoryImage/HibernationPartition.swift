// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockStore
import Linux

/// A hibernation partition, or a file in its place: its superblock and its blocks.
///
/// All reads and writes go around the page cache, because three kernels use the same disk in turn.
public final class HibernationPartition: @unchecked Sendable {
    public let path: String
    /// The superblock that counts.
    public private(set) var superblock: Superblock
    let file: File
    private var slot: Int
    private let block: Mapping

    /// Opens a hibernation partition.
    /// - Throws: if it is none (any more), damaged, of an unknown version, with unknown features, encrypted or smaller than it
    ///   was, and if that cannot be read.
    public init(_ path: String, _ options: File.Options = []) throws(Failure) {
        self.path = path
        file = try File(aroundCache: path, options)
        block = try Mapping(anonymous: Superblock.byteCount)
        let verdict = try HibernationPartition.verdict(file, block)
        guard case .ours(let superblock, let slot) = verdict else {
            throw verdict.failure(path) ?? Failure("open", path, "it is not a hibernation partition")
        }
        self.superblock = superblock
        self.slot = slot
    }

    /// Whose the device at a path is.
    /// - Throws: if that cannot be read.
    public static func verdict(_ path: String) throws(Failure) -> PartitionVerdict {
        try verdict(File(aroundCache: path), Mapping(anonymous: Superblock.byteCount))
    }

    private static func verdict(
        _ file: borrowing File, _ block: borrowing Mapping
    ) throws(Failure) -> PartitionVerdict {
        let size = try DeviceGeometry(of: file).byteCount
        var slots: [[UInt8]] = []
        for offset in Superblock.slotOffsets where size >= offset + UInt64(Superblock.byteCount) {
            try file.read(into: block.bytes, at: offset)
            slots.append(Array(block.bytes))
        }
        return PartitionVerdict(file.path, slots: slots, content: try probeContent(file).type, byteCount: size)
    }

    /// Looks at the device once more, since what it holds may have changed after it was opened.
    /// - Throws: if it is not ours any more, or somebody else has written a superblock.
    func requireOurs() throws(Failure) { try requireOurs(verdict()) }

    /// Whose the device is now.
    func verdict() throws(Failure) -> PartitionVerdict { try HibernationPartition.verdict(file, block) }

    /// Whether the slot that counts holds what was written there, whatever libblkid finds elsewhere.
    func holdsOwnSuperblock() throws(Failure) -> Bool {
        try file.read(into: block.bytes, at: Superblock.slotOffsets[slot])
        guard let found = try? Superblock(decoding: Array(block.bytes)) else { return false }
        return found.encoded() == superblock.encoded()
    }

    /// - Throws: if the device is not ours by this verdict, or somebody else has written a superblock.
    func requireOurs(_ verdict: PartitionVerdict) throws(Failure) {
        guard case .ours(let found, _) = verdict, found.encoded() == superblock.encoded() else {
            throw verdict.failure(path)
                ?? Failure("write", path, "somebody else has written its superblock", remedy: "try again")
        }
    }

    /// Makes a device a hibernation partition: everything before and behind the data area is zeroed, then the first slot
    /// written.
    ///
    /// What the device held before is for the caller to look at.
    /// - Parameter mayHideImage: whether contents of an image may lie anywhere on it; the superblock says so until they are
    ///   erased.
    public static func format(
        _ path: String, label: String, uuid: UUID, mayHideImage: Bool = false, _ options: File.Options
    ) throws(Failure) {
        guard label.utf8.count < Superblock.labelLimit else {
            throw Failure(
                "format", path, "the label has \(label.utf8.count) bytes",
                remedy: "use one of at most \(Superblock.labelLimit - 1)")
        }
        let file = try File(aroundCache: path, [.write, options])
        let deviceByteCount = try DeviceGeometry(of: file).byteCount
        let size = deviceByteCount / UInt64(blockSize) * UInt64(blockSize)
        guard size >= Superblock.minimumDeviceByteCount else {
            throw Failure(
                "format", path, "it has \(describe(bytes: size))",
                remedy:
                    "use a partition of at least \(describe(bytes: Superblock.minimumDeviceByteCount)), and about half "
                    + "the memory's size for a machine in use")
        }
        // libblkid reads with buffers of its own, which O_DIRECT does not take; O_EXCL is held by the other descriptor.
        try wipeSignatures(try File(path, .write))
        var superblock = Superblock(uuid: uuid, label: label, deviceByteCount: size)
        if mayHideImage { superblock.recordedContentsEnd = size }
        let area = try Mapping(anonymous: Int(Superblock.dataOffset))
        try file.write(UnsafeRawBufferPointer(area.bytes), at: 0)
        // Up to the last sector, which may lie behind the last whole block.
        try writeZeros(superblock.dataArea.upperBound..<deviceByteCount / 512 * 512, to: file)
        try file.flush()
        superblock.time = secondsSince1970()
        let block = try Mapping(anonymous: Superblock.byteCount)
        block.bytes.copyBytes(from: superblock.encoded())
        // Both slots for a moment: whatever stands in either of them must not look like anything else.
        for offset in Superblock.slotOffsets { try file.write(UnsafeRawBufferPointer(block.bytes), at: offset) }
        dropBuffers(file)
        if let content = try probeContent(file).type {
            try file.write(UnsafeRawBufferPointer(area.bytes), at: 0)
            try file.flush()
            throw Failure(
                "format", path, "libblkid then takes it for \(content)",
                remedy: label.isEmpty ? nil : "use another label than \(label)")
        }
        let last = Superblock.slotOffsets[Superblock.slotOffsets.count - 1]
        try file.write(UnsafeRawBufferPointer(rebasing: area.bytes[..<Superblock.byteCount]), at: last)
        try file.flush()
        dropBuffers(file)
    }

    /// Writes a changed superblock into the slot that does not count, durably, so that a crash leaves one of the two.
    public func update(_ change: (inout Superblock) -> Void) throws(Failure) {
        var next = superblock
        change(&next)
        let (generation, overflow) = superblock.generation.addingReportingOverflow(1)
        guard !overflow else { throw Failure("write", path, "its generations are used up", remedy: "format it again") }
        next.generation = generation
        next.time = secondsSince1970()
        let nextSlot = (slot + 1) % Superblock.slotOffsets.count
        try file.flush()
        block.bytes.copyBytes(from: next.encoded())
        try file.write(UnsafeRawBufferPointer(block.bytes), at: Superblock.slotOffsets[nextSlot])
        try file.flush()
        superblock = next
        slot = nextSlot
    }

    /// Writes a superblock whose image must not be resumed any more into both slots, one after the other: the one that
    /// said `ready` is gone, so that no damage to the other brings the image back.
    public func retireImage(_ change: (inout Superblock) -> Void) throws(Failure) {
        try update(change)
        try update(change)
    }

    /// Gives up the image, durably. Its contents are still there: see `eraseContents`.
    public func discardImage() throws(Failure) {
        try retireImage { superblock in
            let end = superblock.contentsEnd
            superblock.clearImage(state: .empty, imageUUID: .zero)
            // That they are erased stays known.
            if end > 0 { superblock.recordedContentsEnd = end }
        }
    }

    /// Gives up an image that was begun and not completed: it becomes `failed`, with a reason.
    /// - Parameter contentsEnd: the byte at which the contents end, as the writer told before; 0 if nobody knows.
    public func giveUpIncompleteImage(_ reason: String, contentsEnd: UInt64) throws(Failure) {
        try retireImage { superblock in
            superblock.state = .failed
            superblock.reason = reason
            superblock.recordedContentsEnd =
                contentsEnd == 0 ? superblock.deviceByteCount : min(contentsEnd, superblock.deviceByteCount)
        }
    }

    /// Begins an image: the superblock says `saving`, and is of the present version from here on.
    func beginImage(_ imageUUID: UUID, _ codec: Codec, _ features: Superblock.Features) throws(Failure) {
        let isOfEarlierVersion = superblock.version < Superblock.version
        try update { superblock in
            superblock.version = Superblock.version
            superblock.clearImage(state: .saving, imageUUID: imageUUID)
            // Until it is known how far it came.
            superblock.recordedContentsEnd = superblock.deviceByteCount
            superblock.codec = codec
            superblock.features = features
        }
        // An image of version 1 may have left something there.
        let end = dataArea.upperBound
        if isOfEarlierVersion { try writeZeros(end..<max(end, superblock.deviceByteCount), to: file) }
    }

    /// Bytes that chunks, index and description can take.
    var dataArea: DeviceRange { superblock.dataArea }

    /// Refuses an extent that is empty, larger than a reader takes, or not within the data area.
    func check(_ extent: Superblock.Extent, _ name: String, limit: UInt64) throws(Failure) {
        let area = dataArea
        guard extent.byteCount > 0, extent.byteCount <= limit, extent.offset % UInt64(blockSize) == 0,
            extent.offset >= area.lowerBound, extent.offset <= area.upperBound,
            extent.byteCount <= area.upperBound - extent.offset
        else { throw Failure("read", "\(name) on \(path)", "it does not lie within the partition", isFinal: true) }
    }

    /// The bytes of an extent, whose checksum is verified.
    func read(_ extent: Superblock.Extent, _ name: String, limit: UInt64) throws(Failure) -> [UInt8] {
        try check(extent, name, limit: limit)
        let buffer = try Mapping(anonymous: roundedUpToBlock(Int(extent.byteCount)))
        try file.read(into: buffer.bytes, at: extent.offset)
        let bytes = UnsafeRawBufferPointer(rebasing: buffer.bytes[..<Int(extent.byteCount)])
        guard xxh64(bytes) == extent.checksum,
            isZero(UnsafeRawBufferPointer(rebasing: buffer.bytes[Int(extent.byteCount)...]))
        else { throw damaged(name) }
        return Array(bytes)
    }

    /// The refusal of a part of the image whose checksum is wrong.
    func damaged(_ name: String) -> Failure {
        Failure("read", "\(name) on \(path)", "its checksum is wrong: the image is damaged", isFinal: true)
    }

    /// Writes bytes at an offset of the data area and returns the extent that names them.
    /// - Parameter limit: how many a reader takes.
    func write(
        _ bytes: [UInt8], _ name: String, at offset: UInt64, limit: UInt64
    ) throws(Failure) -> Superblock.Extent {
        guard UInt64(bytes.count) <= limit else {
            throw Failure("write", "\(name) to \(path)", "it has \(bytes.count) bytes, and a reader takes \(limit)")
        }
        let size = roundedUpToBlock(bytes.count)
        guard offset <= dataArea.upperBound, UInt64(size) <= dataArea.upperBound - offset else {
            throw Failure("write", "\(name) to \(path)", "the partition is full")
        }
        let buffer = try Mapping(anonymous: size)
        buffer.bytes.copyBytes(from: bytes)
        try file.write(UnsafeRawBufferPointer(buffer.bytes), at: offset)
        return Superblock.Extent(offset: offset, byteCount: UInt64(bytes.count), checksum: xxh64(bytes))
    }
}

/// Writes zeros to a range of bytes of a device, whose ends are multiples of its sectors.
private func writeZeros(_ range: DeviceRange, to file: borrowing File) throws(Failure) {
    let zeros = try Mapping(anonymous: Int(Superblock.tailByteCount))
    var start = range.lowerBound
    while start < range.upperBound {
        let count = Int(min(range.upperBound - start, Superblock.tailByteCount))
        try file.write(UnsafeRawBufferPointer(rebasing: zeros.bytes[..<count]), at: start)
        start += UInt64(count)
    }
}
