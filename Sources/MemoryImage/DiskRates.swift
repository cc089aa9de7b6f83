// SPDX-License-Identifier: Apache-2.0

/// The rates of a disk, in bytes per second.
public struct DiskRates: Equatable, Sendable {
    public var write: UInt64
    public var read: UInt64
    /// How packing and writing, and reading and unpacking, slow each other down; nil if that was not measured.
    public var save: Contention?
    public var resume: Contention?

    public init(write: UInt64, read: UInt64) {
        self.write = write
        self.read = read
    }
}

/// Work that was repeated without a disk and with it.
public struct Contention: Equatable, Sendable {
    /// Nanoseconds that the CPUs take, all of them at work.
    public var alone: UInt64
    /// Nanoseconds of the same work with its reads or writes.
    public var together: UInt64
    /// Bytes that are read or written.
    public var byteCount: UInt64

    public init(alone: UInt64, together: UInt64, byteCount: UInt64) {
        self.alone = alone
        self.together = together
        self.byteCount = byteCount
    }
}
