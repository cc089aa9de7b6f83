// SPDX-License-Identifier: Apache-2.0
import Basics

/// The size of an image.
public struct ImageCounts: Equatable, Sendable {
    public var chunks: UInt64 = 0
    /// Pages whose contents are stored.
    public var dataPages: UInt64 = 0
    /// Pages whose contents are not stored: zero pages and free pages.
    public var zeroPages: UInt64 = 0
    /// Free pages among `zeroPages`, which may hold anything; 0 in images of version 1, which do not tell.
    public var freePages: UInt64 = 0
    /// Bytes of the partition that the image takes, including the area of the superblocks.
    public var storedBytes: UInt64 = 0
    /// Milliseconds from the first page read to the last byte flushed.
    public var milliseconds: UInt64 = 0

    public init() {}

    /// Bytes that `fields` passes over.
    public static let byteCount = 40

    /// The counts that every structure with counts has, one behind the other. `freePages` came later and lies elsewhere.
    public mutating func fields<Coder: FieldCoder>(_ coder: inout Coder, at start: Int) throws(Coder.Refusal) {
        try coder.integer(&chunks, at: start)
        try coder.integer(&dataPages, at: start + 8)
        try coder.integer(&zeroPages, at: start + 16)
        try coder.integer(&storedBytes, at: start + 24)
        try coder.integer(&milliseconds, at: start + 32)
    }
}
