// SPDX-License-Identifier: Apache-2.0
import Basics

/// The seam below MemoryImage: one block device, or something that stands for one.
///
/// `DeviceStore` is a device or a file; the tests have a simulated disk. Offsets and counts are in bytes and multiples of
/// the sector size, and buffers are aligned to it, as O_DIRECT demands. A write may be lost, torn or reordered with others
/// until `flush` has returned. Several threads may call every method at the same time.
///
/// This class itself is a device that nobody can read. It is a class and no protocol because Embedded Swift has no
/// existentials, and generic code everywhere above would be compiled once for each store.
open class BlockStore: @unchecked Sendable {
    /// The name of the device, for messages.
    public let path: String

    public init(path: String) { self.path = path }

    /// Bytes in the device, as it is now.
    open func byteCount() throws(Failure) -> UInt64 { throw missing("read the size of") }

    /// Reads exactly `buffer.count` bytes from `offset` on.
    /// - Throws: if the device ends before that, too.
    open func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(Failure) {
        throw missing("read")
    }

    /// Writes all of `buffer` from `offset` on. It is durable after the next `flush`.
    open func write(_ buffer: UnsafeRawBufferPointer, at offset: UInt64) throws(Failure) { throw missing("write") }

    /// Makes durable what was written before.
    /// - Throws: if that failed; then any of it may be lost for ever.
    open func flush() throws(Failure) { throw missing("flush") }

    /// Tells the device that nobody needs a range any more. The device decides what the range reads as afterwards.
    /// - Returns: false if the device cannot do that.
    open func discard(_ bytes: DeviceRange) -> Bool { false }

    /// Makes a range zeros.
    open func zeroOut(_ bytes: DeviceRange) throws(Failure) { throw missing("write") }

    /// What libblkid takes the device for, for messages: `ext4`, `dos partition table`; nil if it recognises nothing.
    open func contentType() throws(Failure) -> String? { throw missing("probe") }

    /// Removes the signatures that libblkid finds and whose magic lies in a range.
    /// - Parameter range: nil for the whole device.
    /// - Returns: whether no signature is left anywhere.
    open func eraseSignatures(within range: DeviceRange?) throws(Failure) -> Bool {
        throw missing("erase the signatures of")
    }

    /// Drops what the page cache holds of the device, so that libblkid reads what the device holds.
    open func dropBuffers() {}

    private func missing(_ operation: String) -> Failure { Failure(operation, path, "there is no device behind it") }
}
