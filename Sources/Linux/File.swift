// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux

/// An open file, closed when it goes out of scope. Offsets and counts are in bytes.
public struct File: ~Copyable {
    public let descriptor: CInt
    /// The name that it was opened by, for messages.
    public let path: String

    /// Flags of open(2) that callers outside this module need.
    public struct Options: OptionSet, Sendable {
        public let rawValue: CInt
        public init(rawValue: CInt) { self.rawValue = rawValue }
        public static let readOnly = Options(rawValue: O_RDONLY)
        public static let write = Options(rawValue: O_RDWR)
        /// Bypasses the page cache. Offsets, counts and addresses must be multiples of the sector size.
        public static let direct = Options(rawValue: torpor_open_direct_flag())
        /// On a block device: fails with EBUSY while it is mounted, in use as swap, or held by another device.
        public static let exclusive = Options(rawValue: O_EXCL)
        public static let nonBlocking = Options(rawValue: O_NONBLOCK)
        /// Each write is durable when it returns. For /dev/mem: mappings are not cached.
        public static let synchronous = Options(rawValue: O_SYNC)
    }

    /// Opens an existing file. The corresponding C function is `open`.
    public init(_ path: String, _ options: Options = []) throws(Failure) {
        descriptor = try retrying("open", path) { torpor_open(path, O_CLOEXEC | O_NOCTTY | options.rawValue, 0) }
        self.path = path
    }

    /// Opens a file so that it bypasses the page cache. If the file system cannot do that, the file is opened without.
    public init(aroundCache path: String, _ options: Options = []) throws(Failure) {
        do throws(Failure) {
            try self.init(path, [options, .direct])
        } catch {
            guard error.errno == ErrorNumber.invalid else { throw error }
            try self.init(path, options)
        }
    }

    /// Takes over an open descriptor.
    init(owning descriptor: CInt, path: String) {
        self.descriptor = descriptor
        self.path = path
    }

    deinit { close(descriptor) }

    /// Reads exactly `buffer.count` bytes from `offset` on.
    /// - Throws: if the file ends before that, too.
    public borrowing func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(Failure) {
        var done = 0
        while done < buffer.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            let position = try fileOffset(offset, plus: done)
            let count = try retrying("read", path) { pread(descriptor, rest.baseAddress, rest.count, position) }
            if count == 0 { throw Failure("read", path, "it ends at byte \(position)") }
            done += count
        }
    }

    /// Writes all of `buffer` from `offset` on.
    public borrowing func write(_ buffer: UnsafeRawBufferPointer, at offset: UInt64) throws(Failure) {
        var done = 0
        while done < buffer.count {
            let rest = UnsafeRawBufferPointer(rebasing: buffer[done...])
            let position = try fileOffset(offset, plus: done)
            let count = try retrying("write", path) { pwrite(descriptor, rest.baseAddress, rest.count, position) }
            if count == 0 { throw Failure("write", path, "nothing more fits at byte \(position)") }
            done += count
        }
    }

    /// Writes text at the position of the file with one system call, as files in /sys and /proc want it.
    public borrowing func write(line: String) throws(Failure) {
        let bytes = Array(line.utf8)
        let (descriptor, path) = (descriptor, path)
        try retrying("write", path) { CLinux.write(descriptor, bytes, bytes.count) }
    }

    /// Makes durable what was written before, through the cache of the device. The corresponding C function is `fsync`.
    public borrowing func flush() throws(Failure) { try retrying("flush", path) { fsync(descriptor) } }

    private borrowing func fileOffset(_ offset: UInt64, plus done: Int) throws(Failure) -> off_t {
        let (sum, overflow) = offset.addingReportingOverflow(UInt64(done))
        guard !overflow, let position = off_t(exactly: sum) else {
            throw Failure("seek", path, "offset \(offset) is beyond what a file can have")
        }
        return position
    }
}

/// Reads a whole file of at most `limit` bytes: /proc, /sys, a kernel, an initrd.
public func readFile(_ path: String, limit: Int = 1 << 20) throws(Failure) -> [UInt8] {
    let file = try File(path)
    // A file in /proc has no size, so it is read in pieces that grow. If there is a size, one piece is enough.
    var status = stat()
    try retrying("stat", path) { fstat(file.descriptor, &status) }
    var capacity = min(limit, max(Int(status.st_size), 1 << 14)) + 1
    var content: [UInt8] = []
    while true {
        var failure: Failure?
        let piece = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
            while count < buffer.count {
                let got = CLinux.read(
                    file.descriptor, buffer.baseAddress?.advanced(by: count), buffer.count - count)
                if got < 0, torpor_errno() == EINTR { continue }
                if got < 0 { failure = Failure(lastError: "read", path) }
                if got <= 0 { return }
                count += got
            }
        }
        if let failure { throw failure }
        if content.isEmpty { content = piece } else { content += piece }
        if content.count > limit { throw Failure("read", path, "it is larger than \(describe(bytes: UInt64(limit)))") }
        if piece.count < capacity { return content }
        capacity = min(limit + 1 - content.count, content.count)
    }
}

/// Reads a whole text file. Bytes that are not UTF-8 are replaced.
public func readText(_ path: String) throws(Failure) -> String { String(decoding: try readFile(path), as: UTF8.self) }

/// Reads the beginning of a text file, at most so many bytes.
public func readBeginning(_ path: String, byteCount: Int) throws(Failure) -> String {
    let file = try File(path)
    var buffer = [UInt8](repeating: 0, count: byteCount)
    let count = try retrying("read", path) {
        buffer.withUnsafeMutableBytes { pread(file.descriptor, $0.baseAddress, $0.count, 0) }
    }
    return String(decoding: buffer.prefix(count), as: UTF8.self)
}

/// The size of a file, in bytes; nil if it cannot be found out.
public func fileByteCount(_ path: String) -> UInt64? {
    var status = stat()
    return stat(path, &status) == 0 ? UInt64(max(0, status.st_size)) : nil
}

/// Whether a path can be reached.
public func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

/// The names in a directory, sorted, without those that begin with a dot.
public func listDirectory(_ path: String) throws(Failure) -> [String] {
    guard let directory = opendir(path) else { throw Failure(lastError: "open directory", path) }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = CLinux.readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name.utf8.first != UInt8(ascii: ".") { names.append(name) }
    }
    return names.sorted()
}

/// Drops what the page cache holds of a file, except what is not on the disk yet. The corresponding C function is
/// `posix_fadvise`.
public func dropContents(_ file: borrowing File) { _ = posix_fadvise(file.descriptor, 0, 0, POSIX_FADV_DONTNEED) }

/// A path without symbolic links, `.` and `..`; nil if nothing is there. The corresponding C function is `realpath`.
public func realPath(_ path: String) -> String? {
    guard let real = realpath(path, nil) else { return nil }
    defer { free(real) }
    return String(cString: real)
}
