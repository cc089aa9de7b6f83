// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import MemoryImage

/// Reads of a file system that may hold anything: parsers of this folder reach a device only through it.
struct FileSystemReader {
    /// Bytes in the device.
    let byteCount: UInt64
    private let read: (UInt64, Int) throws(Failure) -> [UInt8]

    /// - Parameter read: bytes from an offset on, as many as asked for; both lie in the device.
    init(byteCount: UInt64, _ read: @escaping (UInt64, Int) throws(Failure) -> [UInt8]) {
        self.byteCount = byteCount
        self.read = read
    }

    /// Reads a file in whole pages, as it may be open around the page cache.
    init(_ file: consuming File, byteCount: UInt64, whileReading: @escaping () -> Void = {}) throws(Failure) {
        let pages = try FilePages(file, byteCount)
        self.init(byteCount: byteCount) { (offset, count) throws(Failure) in
            whileReading()
            return try pages.read(offset, count)
        }
    }

    /// The bytes from an offset on.
    /// - Throws: if they do not lie in the device.
    func bytes(at offset: UInt64, count: Int) throws(Failure) -> [UInt8] {
        guard count >= 0, offset <= byteCount, UInt64(count) <= byteCount - offset else {
            throw FileSystemReader.malformed("a part of it lies behind the device's end")
        }
        return try read(offset, count)
    }

    static func malformed(_ reason: String) -> Failure { Failure("follow", "the file system", reason) }
}

/// A file that is read in whole pages.
private final class FilePages {
    private let file: File
    private let byteCount: UInt64
    private let buffer: Mapping
    private static let limit = 1 << 20

    init(_ file: consuming File, _ byteCount: UInt64) throws(Failure) {
        self.file = file
        self.byteCount = byteCount
        buffer = try Mapping(anonymous: FilePages.limit + 2 * Int(pageSize))
    }

    /// - Parameter offset: together with `count`, within the file.
    func read(_ offset: UInt64, _ count: Int) throws(Failure) -> [UInt8] {
        guard count <= FilePages.limit else { throw FileSystemReader.malformed("a part of it is too large") }
        let start = offset & ~(pageSize - 1)
        let end = min(byteCount, (offset + UInt64(count) + pageSize - 1) & ~(pageSize - 1))
        let part = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<Int(end - start)])
        try file.read(into: part, at: start)
        let first = Int(offset - start)
        return Array(part[first..<first + count])
    }
}
