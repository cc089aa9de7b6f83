// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux

/// A memory mapping, unmapped when it goes out of scope. Counts are in bytes.
public struct Mapping: ~Copyable {
    public let bytes: UnsafeMutableRawBufferPointer

    /// Maps zeroed memory. The corresponding C function is `mmap` with `MAP_ANONYMOUS`.
    /// - Parameters:
    ///   - isShared: whether children that are forked later share it.
    ///   - isPopulated: whether its pages are allocated now and not on first use.
    public init(anonymous count: Int, isShared: Bool = false, isPopulated: Bool = false) throws(Failure) {
        let flags = (isShared ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS | (isPopulated ? MAP_POPULATE : 0)
        bytes = try map(count, PROT_READ | PROT_WRITE, flags, -1, 0, "anonymous memory")
    }

    /// Maps a range of a file. Writes to a writable mapping change the file. `offset` must be a multiple of the page size.
    public init(_ file: borrowing File, offset: UInt64, count: Int, isWritable: Bool) throws(Failure) {
        guard let position = off_t(exactly: offset) else {
            throw Failure("map", file.path, "offset \(offset) is above the largest file offset")
        }
        let protection = isWritable ? PROT_READ | PROT_WRITE : PROT_READ
        let flags = isWritable ? MAP_SHARED : MAP_PRIVATE
        bytes = try map(
            count, protection, flags, file.descriptor, position, "\(file.path) at 0x\(hexadecimal(offset))")
    }

    deinit { munmap(bytes.baseAddress, bytes.count) }

    /// Locks the memory, so that it is never swapped out. The corresponding C function is `mlock`.
    /// - Throws: naming the limit of this process if it has one.
    public borrowing func lock() throws(Failure) {
        do throws(Failure) { try retrying("lock", "memory") { mlock(bytes.baseAddress, bytes.count) } } catch {
            let limit = torpor_locked_memory_limit()
            guard limit != .max else { throw error }
            throw Failure(
                "lock", "\(describe(bytes: UInt64(bytes.count))) in memory",
                "this process's RLIMIT_MEMLOCK is \(describe(bytes: limit)), and it lacks CAP_IPC_LOCK (\(error.reason))",
                remedy: "raise the limit with: ulimit -l unlimited", errno: error.errno)
        }
    }
}

private func map(
    _ count: Int, _ protection: CInt, _ flags: CInt, _ descriptor: CInt, _ offset: off_t, _ operand: String
) throws(Failure) -> UnsafeMutableRawBufferPointer {
    guard count > 0 else { throw Failure("map", operand, "the range is empty") }
    let address = mmap(nil, count, protection, flags, descriptor, offset)
    guard let address, torpor_is_map_failed(address) == 0 else {
        throw Failure(lastError: "map \(describe(bytes: UInt64(count))) of", operand)
    }
    return UnsafeMutableRawBufferPointer(start: address, count: count)
}

/// The page frame numbers of this process's pages, in order; 0 for a page that is not in memory, and for any page if this
/// process is not root.
///
/// /proc/self/pagemap has a 64-bit entry for each virtual page. Bit 63 means that the page is in memory; bits 0–54 are its page
/// frame number, which only root can read (Documentation/admin-guide/mm/pagemap.rst).
public func pageFrames(of pages: UnsafeMutableRawBufferPointer) throws(Failure) -> [UInt64] {
    let pagemap = try File("/proc/self/pagemap")
    let first = UInt64(UInt(bitPattern: pages.baseAddress)) / pageSize
    let entries = try Mapping(anonymous: max(1, pages.count / Int(pageSize) * 8))
    let count = pages.count / Int(pageSize)
    try pagemap.read(into: UnsafeMutableRawBufferPointer(rebasing: entries.bytes[..<(count * 8)]), at: first * 8)
    return (0..<count).map {
        let entry = entries.bytes.load(fromByteOffset: $0 * 8, as: UInt64.self)
        return entry >> 63 == 1 ? entry & (1 << 55 - 1) : 0
    }
}
