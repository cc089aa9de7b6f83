// SPDX-License-Identifier: Apache-2.0

/// How much an image holds.
public struct ImageCounts: Equatable, Sendable {
    public var chunks: UInt64 = 0
    /// Pages whose contents are stored.
    public var dataPages: UInt64 = 0
    /// Pages whose contents are not stored: zeros, and free ones.
    public var zeroPages: UInt64 = 0
    /// Those among them that were free and may hold anything; 0 in images of version 1, which does not tell.
    public var freePages: UInt64 = 0
    /// Bytes of the partition that the image takes, superblocks included.
    public var storedBytes: UInt64 = 0
    /// Milliseconds from the first page read to the last byte flushed.
    public var milliseconds: UInt64 = 0
    public init() {}
}
