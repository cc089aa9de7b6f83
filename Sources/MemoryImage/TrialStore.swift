// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockStore
import Linux

/// A hibernation partition as a rehearsal sees it: reads come from the device, and nothing is written to it. Superblocks that
/// are written stay in memory and can be read back. All other writes are dropped.
public final class TrialStore: BlockStore, @unchecked Sendable {
    private let device: BlockStore
    private let ownByteCount: UInt64?
    /// The written blocks of the area of the superblocks.
    private let kept = Locked<[(offset: UInt64, bytes: [UInt8])]>([])
    private let whenWritten: (UnsafeRawBufferPointer) throws(Failure) -> Void

    /// - Parameters:
    ///   - device: the partition; it need not be open for writing.
    ///   - byteCount: the size that the partition seems to have; nil for its own.
    ///   - whenWritten: is called with what would be written behind the area of the superblocks, on the thread that writes.
    public init(
        _ device: BlockStore, byteCount: UInt64? = nil,
        whenWritten: @escaping (UnsafeRawBufferPointer) throws(Failure) -> Void = { _ in }
    ) {
        self.device = device
        ownByteCount = byteCount
        self.whenWritten = whenWritten
        super.init(path: device.path)
    }

    public override func byteCount() throws(Failure) -> UInt64 {
        if let ownByteCount { return ownByteCount }
        return try device.byteCount()
    }

    public override func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(Failure) {
        let own = kept.withLock { kept in kept.first { $0.offset == offset && $0.bytes.count == buffer.count }?.bytes }
        if let own { buffer.copyBytes(from: own) } else { try device.read(into: buffer, at: offset) }
    }

    public override func write(_ buffer: UnsafeRawBufferPointer, at offset: UInt64) throws(Failure) {
        guard offset < Superblock.dataOffset else { return try whenWritten(buffer) }
        let bytes = Array(buffer)
        kept.withLock { kept in
            kept.removeAll { $0.offset == offset }
            kept.append((offset, bytes))
        }
    }

    public override func flush() {}

    public override func zeroOut(_ bytes: DeviceRange) {}

    public override func contentType() throws(Failure) -> String? { try device.contentType() }

    public override func eraseSignatures(within range: DeviceRange?) -> Bool { false }
}
