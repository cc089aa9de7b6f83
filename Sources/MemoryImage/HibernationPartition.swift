import Basics
import Linux

/// A formatted partition, or a file in its place: its superblock and its blocks.
///
/// All reads and writes go around the page cache, because three kernels use the same disk in turn.
public final class HibernationPartition: @unchecked Sendable {
    public let path: String
    /// The superblock that counts.
    public private(set) var superblock: Superblock
    let file: File
    private var slot: Int
    private let block: Mapping

    /// Opens a formatted partition.
    /// - Throws: where it is not formatted, damaged, of an unknown version, encrypted, or smaller than it was.
    public init(_ path: String, _ options: File.Options = []) throws(Failure) {
        self.path = path
        file = try File(aroundCache: path, options)
        block = try Mapping(anonymous: Superblock.byteCount)
        let size = try DeviceGeometry(of: file).byteCount
        guard size >= Superblock.minimumDeviceByteCount else { throw HibernationPartition.failure(path, []) }
        var best: (superblock: Superblock, slot: Int)?
        var refusals: [Superblock.Refusal] = []
        for (number, offset) in Superblock.slotOffsets.enumerated() {
            try file.read(into: block.bytes, at: offset)
            do throws(Superblock.Refusal) {
                let superblock = try Superblock(decoding: Array(block.bytes))
                if best.map({ $0.superblock.generation < superblock.generation }) ?? true {
                    best = (superblock, number)
                }
            } catch { refusals.append(error) }
        }
        // A later version may have written the newer slot: what the older one says is not true any more then.
        let isLater = refusals.contains { if case .unknownVersion = $0 { true } else { false } }
        guard let best, !isLater else { throw HibernationPartition.failure(path, refusals) }
        superblock = best.superblock
        slot = best.slot
        guard size >= superblock.deviceByteCount else {
            throw Failure(
                "open", path,
                "it has \(describe(bytes: size)), but \(describe(bytes: superblock.deviceByteCount)) when it was formatted",
                remedy: "format it again with: torpor format --force \(path)")
        }
        guard superblock.cipher == 0 else {
            throw Failure("open", path, "its image is encrypted", remedy: "use a version of torpor that can decrypt it")
        }
    }

    private static func failure(_ path: String, _ refusals: [Superblock.Refusal]) -> Failure {
        for refusal in refusals {
            switch refusal {
            case .unknownVersion(let version):
                return Failure(
                    "open", path, "its format has version \(version), this torpor knows \(Superblock.version)",
                    remedy: "use a newer torpor, or format it again with: torpor format --force \(path)")
            case .damaged:
                return Failure(
                    "open", path, "both its superblocks are damaged",
                    remedy: "format it again with: torpor format --force \(path)", isFinal: true)
            case .notFormatted: continue
            }
        }
        return Failure(
            "open", path, "it is not a hibernation partition", remedy: "make it one with: torpor format \(path)")
    }

    /// Makes a device a hibernation partition: everything before the data area is zeroed, then the first slot written.
    ///
    /// What the device held before is for the caller to look at.
    public static func format(_ path: String, label: String, uuid: UUID, _ options: File.Options) throws(Failure) {
        guard label.utf8.count < Superblock.labelLimit else {
            throw Failure(
                "format", path, "the label has \(label.utf8.count) bytes",
                remedy: "use one of at most \(Superblock.labelLimit - 1)")
        }
        let file = try File(aroundCache: path, [.write, options])
        let size = try DeviceGeometry(of: file).byteCount / UInt64(blockSize) * UInt64(blockSize)
        guard size >= Superblock.minimumDeviceByteCount else {
            throw Failure(
                "format", path, "it has \(describe(bytes: size))",
                remedy:
                    "use a partition of at least \(describe(bytes: Superblock.minimumDeviceByteCount)), and about half "
                    + "the memory's size for a machine in use")
        }
        // libblkid reads with buffers of its own, which O_DIRECT does not take; O_EXCL is held by the other descriptor.
        try wipeSignatures(try File(path, .write))
        let area = try Mapping(anonymous: Int(Superblock.dataOffset))
        try file.write(UnsafeRawBufferPointer(area.bytes), at: 0)
        try file.flush()
        var superblock = Superblock(uuid: uuid, label: label, deviceByteCount: size)
        superblock.time = secondsSince1970()
        area.bytes.copyBytes(from: superblock.encoded())
        try file.write(UnsafeRawBufferPointer(rebasing: area.bytes[..<Superblock.byteCount]), at: 0)
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

    /// Gives up the image, durably.
    public func discardImage() throws(Failure) { try retireImage { $0.clearImage(state: .empty, imageUUID: .zero) } }

    /// Bytes that chunks, index and description can take.
    var dataArea: Range<UInt64> { Superblock.dataOffset..<max(Superblock.dataOffset, superblock.deviceByteCount) }

    /// The bytes of an extent, whose checksum is verified.
    func read(_ extent: Superblock.Extent, _ name: String, limit: UInt64) throws(Failure) -> [UInt8] {
        let area = dataArea
        guard extent.byteCount > 0, extent.byteCount <= limit, extent.offset % UInt64(blockSize) == 0,
            extent.offset >= area.lowerBound, extent.offset <= area.upperBound,
            extent.byteCount <= area.upperBound - extent.offset
        else { throw Failure("read", "\(name) on \(path)", "it does not lie within the partition", isFinal: true) }
        let buffer = try Mapping(anonymous: roundedUpToBlock(Int(extent.byteCount)))
        try file.read(into: buffer.bytes, at: extent.offset)
        let bytes = UnsafeRawBufferPointer(rebasing: buffer.bytes[..<Int(extent.byteCount)])
        guard xxh64(bytes) == extent.checksum,
            isZero(UnsafeRawBufferPointer(rebasing: buffer.bytes[Int(extent.byteCount)...]))
        else {
            throw Failure("read", "\(name) on \(path)", "its checksum is wrong: the image is damaged", isFinal: true)
        }
        return Array(bytes)
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
