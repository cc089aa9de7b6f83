// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// How the contents of an image were erased.
public enum Erasure: String, Sendable {
    /// The device was told to forget them, and reads as zeros. Flash may keep them until it is erased itself.
    case discard
    /// Zeros were written over them, at least over a part that the device did not forget.
    case zeros
}

extension HibernationPartition {
    /// The bytes that are erased, and looked at afterwards, at once.
    private static let erasedPiece: UInt64 = 64 << 20
    /// Blocks of a piece that are looked at: its first, its last, and some between.
    private static let samplesOfPiece: UInt64 = 8

    /// Erases the contents of images that cannot be resumed any more, this one's and earlier ones'. The superblock says until
    /// the end that they are there, and not any more then.
    ///
    /// First the device is told to forget them; what does not read as zeros afterwards is overwritten.
    /// - Parameter progress: is called with the bytes that are done, and all of them.
    /// - Returns: how; nil if there was nothing to erase.
    /// - Throws: if the image was neither resumed nor given up, too.
    public func eraseContents(_ progress: (UInt64, UInt64) -> Void = { _, _ in }) throws(Failure) -> Erasure? {
        try eraseContents({ file.discard($0) }, progress)
    }

    /// - Parameter discard: as `File.discard`.
    func eraseContents(
        _ discard: (DeviceRange) -> Bool, _ progress: (UInt64, UInt64) -> Void
    ) throws(Failure) -> Erasure? {
        guard [.empty, .consumed, .failed].contains(superblock.state) else {
            throw Failure("erase the image on", path, "it was not given up")
        }
        let end = superblock.contentsEnd / UInt64(blockSize) * UInt64(blockSize)
        guard end > Superblock.dataOffset else { return nil }
        try requireOurs()
        // Until now the other slot may say that the image is to be resumed.
        try retireImage { $0.recordedContentsEnd = end }
        let how = try erase(Superblock.dataOffset..<end, discard, progress)
        try file.flush()
        try retireImage { $0.forgetContents() }
        return how
    }

    private func erase(
        _ bytes: DeviceRange, _ discard: (DeviceRange) -> Bool, _ progress: (UInt64, UInt64) -> Void
    ) throws(Failure) -> Erasure {
        let isForgotten = discard(bytes)
        let buffer = try Mapping(anonymous: 1 << 20), sample = try Mapping(anonymous: blockSize)
        let zeros = UnsafeRawBufferPointer(buffer.bytes)
        var how = Erasure.discard
        var start = bytes.lowerBound
        while start < bytes.upperBound {
            let piece: DeviceRange = start..<start + min(HibernationPartition.erasedPiece, bytes.upperBound - start)
            let isErased = isForgotten ? try isZero(piece, sample) : false
            if !isErased {
                how = .zeros
                try file.zeroOut(piece, with: zeros)
                guard try isZero(piece, sample) else {
                    throw Failure("erase the image on", path, "what was overwritten with zeros does not read as zeros")
                }
            }
            start = piece.upperBound
            progress(start - bytes.lowerBound, bytes.upperBound - bytes.lowerBound)
        }
        return how
    }

    /// Whether samples of a piece are zeros.
    private func isZero(_ piece: DeviceRange, _ block: borrowing Mapping) throws(Failure) -> Bool {
        let blocks = (piece.upperBound - piece.lowerBound) / UInt64(blockSize)
        let count = min(HibernationPartition.samplesOfPiece, blocks)
        for number in 0..<count {
            let place = count < 2 ? 0 : (blocks - 1) * number / (count - 1)
            try file.read(into: block.bytes, at: piece.lowerBound + place * UInt64(blockSize))
            if !Linux.isZero(UnsafeRawBufferPointer(block.bytes)) { return false }
        }
        return true
    }
}
