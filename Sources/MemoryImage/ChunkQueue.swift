// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// Gives each chunk of an image once, to the worker that asks next. It reads a piece of the index when the piece before it is
/// used up, so that memory does not grow with the image.
public final class ChunkQueue: Sendable {
    private struct Position {
        /// Pieces that were read.
        var pieces = 0
        /// The entries of the last piece; those from `next` on were not given yet.
        var entries: [ChunkIndex.Entry] = []
        var next = 0
    }

    private let reader: ImageReader
    private let position = Locked(Position())

    /// All chunks of an image.
    public init(_ reader: ImageReader) { self.reader = reader }

    /// The next chunk that no worker has taken yet; nil when all are taken.
    public func take() throws(Failure) -> ChunkIndex.Entry? {
        try position.withLock { position throws(Failure) in
            while position.next == position.entries.count {
                guard position.pieces < reader.index.pieceCount else { return nil }
                // Before the next piece is read, so that memory holds one piece at a time.
                position.entries = []
                position.next = 0
                position.entries = try reader.index.piece(position.pieces, of: reader.partition)
                position.pieces += 1
            }
            defer { position.next += 1 }
            return position.entries[position.next]
        }
    }
}
