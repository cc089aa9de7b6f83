// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockStore
import Linux

/// The kernel and the rootfs.gz that restore the partition's image, and the parameters for that kernel. An ordinary start, with
/// any kernel, finds them here and continues with the pair that belongs to the image.
public struct BootFiles: Equatable, Sendable {
    /// The kernel's file, a bzImage.
    public var kernel: [UInt8]
    /// The initramfs: Torpor's rootfs.gz.
    public var initrd: [UInt8]
    /// The parameters for the kernel's command line that this machine and this image need, separated by spaces.
    public var parameters: String

    public init(kernel: [UInt8], initrd: [UInt8], parameters: String) {
        self.kernel = kernel
        self.initrd = initrd
        self.parameters = parameters
    }

    /// Bytes that a reader takes of each file.
    static let fileLimit: UInt64 = 256 << 20

    /// Bytes of a slot that the files take: each begins at a block, behind the block of the header.
    var slotByteCount: UInt64 {
        UInt64(blockSize + roundedUpToBlock(kernel.count) + roundedUpToBlock(initrd.count))
    }
}

/// The header of a slot of boot files: one block, whose checksum is in the superblock. The kernel follows, then the initramfs.
struct BootFilesHeader: Equatable {
    static let magic: UInt64 = 0x4642_726f_7072_6f54  // `TorporBF`
    static let parametersLimit = 2048

    var kernelByteCount: UInt64 = 0
    var kernelChecksum: UInt64 = 0
    var initrdByteCount: UInt64 = 0
    var initrdChecksum: UInt64 = 0
    var parameters = ""

    init() {}

    init(_ files: BootFiles) {
        kernelByteCount = UInt64(files.kernel.count)
        kernelChecksum = xxh64(files.kernel, count: files.kernel.count)
        initrdByteCount = UInt64(files.initrd.count)
        initrdChecksum = xxh64(files.initrd, count: files.initrd.count)
        parameters = files.parameters
    }

    private mutating func fields<Coder: FieldCoder>(_ coder: inout Coder) throws(Coder.Refusal) {
        try coder.constant(BootFilesHeader.magic, at: 0, "it is not the header of boot files")
        try coder.integer(&kernelByteCount, at: 8)
        try coder.integer(&kernelChecksum, at: 16)
        try coder.integer(&initrdByteCount, at: 24)
        try coder.integer(&initrdChecksum, at: 32)
        try coder.text(&parameters, at: 64, count: BootFilesHeader.parametersLimit)
    }

    func encoded() -> [UInt8] {
        var copy = self, writer = FieldWriter(byteCount: blockSize)
        copy.fields(&writer)
        return writer.bytes
    }

    /// - Throws: if the bytes are not a header.
    init(decoding bytes: [UInt8]) throws(Failure) {
        var reader = FieldReader(bytes, of: "the header of the boot files")
        try fields(&reader)
        // A byte that is not UTF-8 was read as an escape sequence.
        guard bytes[64...].starts(with: parameters.utf8),
            !parameters.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f })
        else { throw Failure("read", "the header of the boot files", "its parameters are not printable UTF-8") }
    }
}

extension Superblock {
    /// Whether the partition has space for boot files.
    public var keepsBootFiles: Bool { bootAreaByteCount > 0 }

    /// Refuses boot files that are larger than a slot.
    /// - Parameter path: the partition's, for the message.
    public func requireCapacity(for files: BootFiles, _ path: String) throws(Failure) {
        let slot = bootAreaByteCount / 2, needed = files.slotByteCount
        guard needed <= slot else {
            // Enough for both slots, in whole units of 16 MiB.
            let enough = ((needed * 2 + (16 << 20) - 1) >> 24) * 16
            throw Failure(
                "keep", "kernel and rootfs.gz on \(path)",
                "they have \(describe(bytes: needed)), and the partition has \(describe(bytes: slot)) for them",
                remedy:
                    "use a smaller kernel with --kernel, or format the partition again with: torpor format --boot-files "
                    + "\(enough)M \(path)")
        }
        guard files.parameters.utf8.count < BootFilesHeader.parametersLimit else {
            throw Failure(
                "keep", "the parameters of kernel C on \(path)", "they have \(files.parameters.utf8.count) characters",
                remedy: "boot the running kernel with fewer parameters for its hardware")
        }
    }
}

extension HibernationPartition {
    private var bootSlotByteCount: UInt64 { superblock.bootAreaByteCount / 2 }

    /// The boot files that count; nil if there are none.
    /// - Throws: if they are damaged.
    public func readBootFiles() throws(Failure) -> BootFiles? {
        guard let (header, offset) = try readBootFilesHeader() else { return nil }
        let kernel = try readBootFile(
            header.kernelByteCount, header.kernelChecksum, "the kernel", at: offset + UInt64(blockSize))
        let initrd = try readBootFile(
            header.initrdByteCount, header.initrdChecksum, "the rootfs.gz",
            at: offset + UInt64(blockSize + roundedUpToBlock(kernel.count)))
        return BootFiles(kernel: kernel, initrd: initrd, parameters: header.parameters)
    }

    /// Keeps boot files, durably, in the slot that does not count. A crash leaves the old files or the new ones. Writes nothing
    /// if the partition keeps the same files intact.
    /// - Returns: whether anything was written.
    /// - Throws: if the files are larger than a slot, and if the partition is not ours any more; nothing is changed then.
    public func store(_ files: BootFiles) throws(Failure) -> Bool {
        try superblock.requireCapacity(for: files, path)
        if let kept = try? readBootFiles(), kept == files { return false }
        try requireOurs()
        let first = superblock.bootArea.lowerBound
        let offset = superblock.bootFilesExtent.offset == first ? first + bootSlotByteCount : first
        let kernelOffset = offset + UInt64(blockSize)
        try writeBlocks(files.kernel, at: kernelOffset)
        try writeBlocks(files.initrd, at: kernelOffset + UInt64(roundedUpToBlock(files.kernel.count)))
        let header = BootFilesHeader(files).encoded()
        try writeBlocks(header, at: offset)
        let extent = Superblock.Extent(
            offset: offset, byteCount: UInt64(header.count), checksum: xxh64(header, count: header.count))
        try store.flush()
        // The files must not look like a signature of something else.
        try requireOurs()
        try update { $0.bootFilesExtent = extent }
        return true
    }

    /// The header that counts, and the byte at which its slot begins; nil if there is none.
    private func readBootFilesHeader() throws(Failure) -> (BootFilesHeader, UInt64)? {
        let extent = superblock.bootFilesExtent
        guard extent.byteCount > 0 else { return nil }
        let area = superblock.bootArea
        guard extent.byteCount == UInt64(blockSize),
            extent.offset == area.lowerBound || extent.offset == area.lowerBound + bootSlotByteCount,
            bootSlotByteCount > 0
        else { throw damagedBootFiles("their header") }
        let bytes = try readBlocks(UInt64(blockSize), extent.checksum, "their header", at: extent.offset)
        return (try BootFilesHeader(decoding: bytes), extent.offset)
    }

    private func readBootFile(
        _ byteCount: UInt64, _ checksum: UInt64, _ name: String, at offset: UInt64
    ) throws(Failure) -> [UInt8] {
        let end = superblock.bootArea.upperBound
        guard offset <= end, byteCount <= min(end - offset, BootFiles.fileLimit) else { throw damagedBootFiles(name) }
        return try readBlocks(byteCount, checksum, name, at: offset)
    }

    private func damagedBootFiles(_ part: String) -> Failure {
        Failure(
            "read", "the boot files on \(path)", "\(part) is damaged",
            remedy: "start kernel C directly, with torpor boot-entry")
    }

    /// Reads bytes and verifies their checksum and the zeros behind them.
    private func readBlocks(
        _ byteCount: UInt64, _ checksum: UInt64, _ name: String, at offset: UInt64
    ) throws(Failure) -> [UInt8] {
        let count = Int(byteCount)
        let buffer = try Mapping(anonymous: max(blockSize, roundedUpToBlock(count)))
        if count > 0 { try store.read(into: buffer.bytes, at: offset) }
        let bytes = UnsafeRawBufferPointer(rebasing: buffer.bytes[..<count])
        guard xxh64(bytes) == checksum, isZero(UnsafeRawBufferPointer(rebasing: buffer.bytes[count...])) else {
            throw damagedBootFiles(name)
        }
        return Array(bytes)
    }

    private func writeBlocks(_ bytes: [UInt8], at offset: UInt64) throws(Failure) {
        if bytes.isEmpty { return }
        let buffer = try Mapping(anonymous: roundedUpToBlock(bytes.count))
        buffer.bytes.copyBytes(from: bytes)
        try store.write(UnsafeRawBufferPointer(buffer.bytes), at: offset)
    }
}
