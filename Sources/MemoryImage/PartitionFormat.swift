// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockStore
import Linux

extension HibernationPartition {
    /// Makes the device at a path a hibernation partition.
    public static func format(
        _ path: String, label: String, uuid: UUID, bootAreaByteCount: UInt64 = 0, mayHideImage: Bool = false,
        _ options: DeviceStore.Options
    ) throws(Failure) {
        // Before anything is opened.
        try check(label: label, path)
        try format(
            DeviceStore(path, [.write, options]), label: label, uuid: uuid, bootAreaByteCount: bootAreaByteCount,
            mayHideImage: mayHideImage)
    }

    /// Makes a device a hibernation partition: zeroes everything before and behind the data area, then writes the first
    /// slot.
    ///
    /// The caller decides whether the device may lose what it holds.
    /// - Parameters:
    ///   - bootAreaByteCount: bytes for both slots of boot files: a multiple of 8 KiB.
    ///   - mayHideImage: whether contents of an image may lie anywhere on it. The superblock says so until they are erased.
    public static func format(
        _ store: BlockStore, label: String, uuid: UUID, bootAreaByteCount: UInt64 = 0, mayHideImage: Bool = false
    ) throws(Failure) {
        try check(label: label, store.path)
        let deviceByteCount = try store.byteCount()
        let size = deviceByteCount / UInt64(blockSize) * UInt64(blockSize)
        guard size >= Superblock.minimumDeviceByteCount else {
            throw Failure(
                "format", store.path, "it has \(describe(bytes: size))",
                remedy:
                    "use a partition of at least \(describe(bytes: Superblock.minimumDeviceByteCount)), and about half "
                    + "the size of the memory for a machine in use")
        }
        guard bootAreaByteCount % UInt64(2 * blockSize) == 0,
            bootAreaByteCount <= size - Superblock.minimumDeviceByteCount
        else {
            throw Failure(
                "format", store.path,
                "\(describe(bytes: bootAreaByteCount)) for boot files leave no space for an image",
                remedy: "use a smaller --boot-files, a multiple of 8K")
        }
        _ = try store.eraseSignatures(within: nil)
        var superblock = Superblock(uuid: uuid, label: label, deviceByteCount: size)
        superblock.bootAreaByteCount = bootAreaByteCount
        if mayHideImage { superblock.recordedContentsEnd = size }
        // Contents of an image in the area for boot files would stay: only the data area is erased later.
        try store.writeZeros(0..<(mayHideImage ? superblock.dataArea.lowerBound : Superblock.dataOffset))
        // Up to the last sector, which may lie behind the last whole block.
        try store.writeZeros(superblock.dataArea.upperBound..<deviceByteCount / 512 * 512)
        try store.flush()
        superblock.time = secondsSince1970()
        let block = try Mapping(anonymous: Superblock.byteCount)
        block.bytes.copyBytes(from: superblock.encoded())
        // In both slots for a moment: libblkid must take neither of them for something else.
        for offset in Superblock.slotOffsets { try store.write(UnsafeRawBufferPointer(block.bytes), at: offset) }
        store.dropBuffers()
        if let content = try store.contentType() {
            try store.writeZeros(0..<Superblock.dataOffset)
            try store.flush()
            throw Failure(
                "format", store.path, "libblkid then takes it for \(content)",
                remedy: label.isEmpty ? nil : "use another label than \(label)")
        }
        let last = Superblock.slotOffsets[Superblock.slotOffsets.count - 1]
        try store.writeZeros(last..<last + UInt64(Superblock.byteCount))
        try store.flush()
        store.dropBuffers()
    }

    private static func check(label: String, _ path: String) throws(Failure) {
        guard label.utf8.count < Superblock.labelLimit else {
            throw Failure(
                "format", path, "the label has \(label.utf8.count) bytes",
                remedy: "use one of at most \(Superblock.labelLimit - 1)")
        }
    }
}
