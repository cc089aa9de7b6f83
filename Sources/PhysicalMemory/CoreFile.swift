// SPDX-License-Identifier: Apache-2.0
import Basics
import ELF
import Linux

/// An open ELF core file: the memory of another kernel (/proc/vmcore) or of the running kernel (/proc/kcore).
///
/// It is `@unchecked Sendable` because nothing in it changes, and reads do not use the file's own position.
public final class CoreFile: @unchecked Sendable {
    public let segments: [CoreReader.Segment]
    private let file: File
    private let notes: [UInt8]
    /// /proc/kcore has no mmap (6.12, fs/proc/kcore.c, `kcore_proc_ops`).
    private let isMappable: Bool

    public init(_ path: String) throws(Failure) {
        file = try File(path)
        isMappable = !path.utf8.elementsEqual("/proc/kcore".utf8)
        var bytes = try CoreFile.read(file, count: CoreReader.headerByteCount, at: 0)
        bytes = try CoreFile.read(file, count: try CoreReader.tableByteCount(header: bytes), at: 0)
        let core = try CoreReader(table: bytes)
        segments = core.segments
        var notes: [UInt8] = []
        for note in core.notes {
            guard note.byteCount <= UInt64(max(0, maximumNoteByteCount - notes.count)) else {
                throw Failure("read", path, "its notes are too large")
            }
            notes += try CoreFile.read(file, count: Int(note.byteCount), at: note.offset)
        }
        self.notes = notes
    }

    /// The content of the note with a name; nil if there is none.
    public func note(named name: String) throws(Failure) -> [UInt8]? { try CoreReader.note(named: name, in: notes) }

    /// Maps the memory at physical addresses, which must be whole pages within one segment.
    public func map(_ addresses: PhysicalRange) throws(Failure) -> Mapping {
        try Mapping(file, offset: try fileOffset(of: addresses), count: Int(addresses.byteCount), isWritable: false)
    }

    /// Calls `body` with the memory at physical addresses, which must be whole pages within one segment. The contents are
    /// valid until it returns.
    func view(
        _ addresses: PhysicalRange, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        guard isMappable else {
            let copy = try Mapping(anonymous: Int(addresses.byteCount))
            try read(addresses, into: copy.bytes)
            return try body(UnsafeRawBufferPointer(copy.bytes))
        }
        let mapping = try map(addresses)
        try body(UnsafeRawBufferPointer(mapping.bytes))
    }

    /// Reads the memory at physical addresses, which must be within one segment.
    /// - Parameter buffer: as many bytes.
    public func read(_ addresses: PhysicalRange, into buffer: UnsafeMutableRawBufferPointer) throws(Failure) {
        try file.read(into: buffer, at: try fileOffset(of: addresses))
    }

    /// Copies the memory at physical addresses, which must be within one segment.
    public func copy(_ addresses: PhysicalRange) throws(Failure) -> [UInt8] {
        try CoreFile.read(file, count: Int(addresses.byteCount), at: try fileOffset(of: addresses))
    }

    /// Copies the page at an untrusted physical address.
    /// - Throws: if there is no such page.
    public func copyPage(at address: UInt64) throws(Failure) -> [UInt8] {
        guard address % pageSize == 0, address < 1 << 52 else {
            throw Failure("find", "the page at 0x\(hexadecimal(address))", "it is not the address of a page")
        }
        return try copy(address..<address + pageSize)
    }

    private func fileOffset(of addresses: PhysicalRange) throws(Failure) -> UInt64 {
        for segment in segments where [segment.addresses].covers(addresses) {
            return segment.fileOffset + (addresses.lowerBound - segment.addresses.lowerBound)
        }
        throw Failure("find", "the memory at \(hexadecimal(addresses))", "it is not in \(file.path)")
    }

    private static func read(_ file: borrowing File, count: Int, at offset: UInt64) throws(Failure) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var failure: Failure?
        bytes.withUnsafeMutableBytes { buffer in
            do throws(Failure) { try file.read(into: buffer, at: offset) } catch { failure = error }
        }
        if let failure { throw failure }
        return bytes
    }
}
