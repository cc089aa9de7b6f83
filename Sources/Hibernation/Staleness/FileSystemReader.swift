// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import MemoryImage

/// Bounds-checked reads of a file system with untrusted contents. The parsers in this folder read a device only through it.
struct FileSystemReader {
    /// Bytes in the device.
    let byteCount: UInt64
    private let read: (UInt64, Int) throws(Failure) -> [UInt8]

    /// - Parameter read: returns bytes at an offset, exactly as many as requested. Both are within the device.
    init(byteCount: UInt64, _ read: @escaping (UInt64, Int) throws(Failure) -> [UInt8]) {
        self.byteCount = byteCount
        self.read = read
    }

    /// Reads a file in whole pages, because it may be open with O_DIRECT.
    init(_ file: consuming File, byteCount: UInt64, whileReading: @escaping () -> Void = {}) throws(Failure) {
        let pages = try FilePages(file, byteCount)
        self.init(byteCount: byteCount) { (offset, count) throws(Failure) in
            whileReading()
            return try pages.read(offset, count)
        }
    }

    /// The bytes at an offset.
    /// - Throws: if they are not within the device.
    func bytes(at offset: UInt64, count: Int) throws(Failure) -> [UInt8] {
        guard count >= 0, offset <= byteCount, UInt64(count) <= byteCount - offset else {
            throw FileSystemReader.malformed("a part of it lies beyond the end of the device")
        }
        return try read(offset, count)
    }

    static func malformed(_ reason: String) -> Failure { Failure("parse", "the file system", reason) }
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

    /// - Parameters:
    ///   - offset: in bytes; `offset + count` is within the file.
    ///   - count: in bytes, at most `limit`.
    func read(_ offset: UInt64, _ count: Int) throws(Failure) -> [UInt8] {
        guard count <= FilePages.limit else {
            throw FileSystemReader.malformed("a part of it is larger than \(describe(bytes: UInt64(FilePages.limit)))")
        }
        let start = offset & ~(pageSize - 1)
        let end = min(byteCount, (offset + UInt64(count) + pageSize - 1) & ~(pageSize - 1))
        let part = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<Int(end - start)])
        try file.read(into: part, at: start)
        let first = Int(offset - start)
        return Array(part[first..<first + count])
    }
}
