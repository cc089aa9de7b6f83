// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockStore
import Linux

/// How the contents of an image were erased.
public enum Erasure: String, Sendable {
    /// The device was told to forget them, and reads as zeros. Flash may keep them until it is erased itself.
    case discard
    /// Zeros were written, at least over a part that the device did not forget.
    case zeros
}

extension HibernationPartition {
    /// Bytes that are erased at once.
    private static let erasedPiece: UInt64 = 64 << 20

    /// Erases the contents of images that can never be resumed again, of this one and of earlier ones. Until they are
    /// erased the superblock says that they are there.
    ///
    /// First the device is told to forget them. What does not read as zeros afterwards is overwritten.
    /// - Parameter progress: is called with the bytes that are done, and all of them.
    /// - Returns: how; nil if there was nothing to erase.
    /// - Throws: if the image may still be resumed, too.
    public func eraseContents(_ progress: (UInt64, UInt64) -> Void = { _, _ in }) throws(Failure) -> Erasure? {
        guard [.empty, .consumed, .failed].contains(superblock.state) else {
            throw Failure("erase the image on", path, "it was not given up")
        }
        let end = superblock.contentsEnd / UInt64(blockSize) * UInt64(blockSize)
        let start = dataArea.lowerBound
        guard end > start else { return nil }
        try requireOurs()
        // Until now the other slot may say that the image can be resumed.
        try retireImage { $0.recordedContentsEnd = end }
        let how = try erase(start..<end, progress)
        try store.flush()
        try retireImage { $0.forgetContents() }
        return how
    }

    private func erase(_ bytes: DeviceRange, _ progress: (UInt64, UInt64) -> Void) throws(Failure) -> Erasure {
        let isForgotten = store.discard(bytes)
        let look = try ErasureLook(store, bytes)
        var how = Erasure.discard
        var start = bytes.lowerBound
        while start < bytes.upperBound {
            let piece: DeviceRange = start..<start + min(HibernationPartition.erasedPiece, bytes.upperBound - start)
            let isErased = isForgotten ? try look.findsZeros(in: piece) : false
            if !isErased {
                how = .zeros
                try store.zeroOut(piece)
                guard try look.findsZeros(in: piece) else {
                    throw Failure("erase the image on", path, "it does not read as zeros after zeros were written")
                }
            }
            start = piece.upperBound
            progress(start - bytes.lowerBound, bytes.byteCount)
        }
        return how
    }
}

/// Looks whether a range was erased.
///
/// A device may ignore the ends of a discard that are not at its granularity (discard_granularity in
/// Documentation/ABI/stable/sysfs-block). So the ends of the range are read in full, and between them samples.
private struct ErasureLook: ~Copyable {
    private let store: BlockStore
    private let range: DeviceRange
    private let buffer: Mapping

    /// Bytes at each end of the range that are read in full.
    private static let ends: UInt64 = 4 << 20
    /// Blocks of a piece that are read: the first, the last, and some between.
    private static let samples: UInt64 = 8

    init(_ store: BlockStore, _ range: DeviceRange) throws(Failure) {
        self.store = store
        self.range = range
        buffer = try Mapping(anonymous: 1 << 20)
    }

    /// - Parameter piece: whole blocks, a part of the range.
    borrowing func findsZeros(in piece: DeviceRange) throws(Failure) -> Bool {
        let block = UInt64(blockSize)
        let blocks = piece.byteCount / block
        let count = min(ErasureLook.samples, blocks)
        for number in 0..<count {
            let start = piece.lowerBound + (count < 2 ? 0 : (blocks - 1) * number / (count - 1)) * block
            if try !isZero(start..<start + block) { return false }
        }
        let end = range.lowerBound + min(ErasureLook.ends, range.byteCount)
        let beginning = range.upperBound - min(ErasureLook.ends, range.byteCount)
        guard try isZero(piece.clamped(to: range.lowerBound..<end)) else { return false }
        return try isZero(piece.clamped(to: max(end, beginning)..<range.upperBound))
    }

    private borrowing func isZero(_ bytes: DeviceRange) throws(Failure) -> Bool {
        var start = bytes.lowerBound
        while start < bytes.upperBound {
            let count = min(buffer.bytes.count, Int(clamping: bytes.upperBound - start))
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<count])
            try store.read(into: part, at: start)
            if !Linux.isZero(UnsafeRawBufferPointer(part)) { return false }
            start += UInt64(count)
        }
        return true
    }
}
