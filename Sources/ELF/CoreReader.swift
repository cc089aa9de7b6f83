// SPDX-License-Identifier: Apache-2.0
import Basics

/// The program headers and notes of a 64-bit little-endian ELF core file, /proc/vmcore and /proc/kcore among them.
///
/// Fields and their offsets are those of elf(5), `Elf64_Ehdr`, `Elf64_Phdr` and `Elf64_Nhdr`.
public struct CoreReader: Equatable, Sendable {
    /// A PT_LOAD: memory whose contents are in the file.
    public struct Segment: Equatable, Sendable {
        /// Physical addresses.
        public var addresses: PhysicalRange
        /// Byte offset in the file at which the first of them is.
        public var fileOffset: UInt64
    }

    /// A range of bytes in the file.
    public struct FileRange: Equatable, Sendable {
        public var offset: UInt64
        public var byteCount: UInt64
    }

    public static let headerByteCount = 64
    static let programHeaderByteCount = 56
    /// Program headers that are read at most.
    static let maximumProgramHeaders = 4096

    public var segments: [Segment] = []
    public var notes: [FileRange] = []

    /// Bytes from the file's beginning that hold the header and the program headers.
    public static func tableByteCount(header bytes: [UInt8]) throws(Failure) -> Int {
        let fields = bytes.span.bytes
        let magic: [UInt8] = [0x7f, UInt8(ascii: "E"), UInt8(ascii: "L"), UInt8(ascii: "F"), 2, 1]
        guard try fields.copy(at: 0, count: 6) == magic else {
            throw malformed("it is no 64-bit little-endian ELF file")
        }
        // e_type: ET_CORE is 4; e_machine: EM_X86_64 is 62.
        guard try fields.integer(at: 16, as: UInt16.self) == 4, try fields.integer(at: 18, as: UInt16.self) == 62 else {
            throw malformed("it is no core file of x86_64")
        }
        let offset: UInt64 = try fields.integer(at: 32)
        let entrySize = Int(try fields.integer(at: 54, as: UInt16.self))
        let count = Int(try fields.integer(at: 56, as: UInt16.self))
        guard entrySize == programHeaderByteCount, count <= maximumProgramHeaders, offset <= 1 << 20 else {
            throw malformed("its program headers are malformed")
        }
        return Int(offset) + count * entrySize
    }

    /// The program headers in the file's first bytes.
    public init(table bytes: [UInt8]) throws(Failure) {
        let size = try CoreReader.tableByteCount(header: bytes)
        guard bytes.count >= size else { throw CoreReader.malformed("it ends within its program headers") }
        let fields = bytes.span.bytes
        let start: UInt64 = try fields.integer(at: 32)
        let count = Int(try fields.integer(at: 56, as: UInt16.self))
        for i in 0..<count {
            let at = Int(start) + i * CoreReader.programHeaderByteCount
            let fileOffset: UInt64 = try fields.integer(at: at + 8)
            let address: UInt64 = try fields.integer(at: at + 24)
            let fileSize: UInt64 = try fields.integer(at: at + 32)
            guard fileSize <= UInt64.max - fileOffset else { throw CoreReader.malformed("a range of it overflows") }
            // p_type: PT_LOAD is 1, PT_NOTE is 4.
            switch try fields.integer(at: at, as: UInt32.self) {
            case 1:
                // /proc/kcore describes addresses that have no physical one with -1.
                if address == UInt64.max { continue }
                guard fileSize <= UInt64.max - address else {
                    throw CoreReader.malformed("a range of memory overflows")
                }
                segments.append(Segment(addresses: address..<address + fileSize, fileOffset: fileOffset))
            case 4: notes.append(FileRange(offset: fileOffset, byteCount: fileSize))
            default: break
            }
        }
    }

    /// The contents of the note with a name, among the bytes of a PT_NOTE; nil where there is none.
    public static func note(named name: String, in bytes: [UInt8]) throws(Failure) -> [UInt8]? {
        let fields = bytes.span.bytes
        var offset = 0
        while offset + 12 <= bytes.count {
            let nameSize = Int(try fields.integer(at: offset, as: UInt32.self))
            let contentSize = Int(try fields.integer(at: offset + 4, as: UInt32.self))
            let contentStart = offset + 12 + aligned(nameSize)
            if nameSize == 0, contentSize == 0 { return nil }
            let found = try fields.text(at: offset + 12, count: nameSize)
            let content = try fields.copy(at: contentStart, count: contentSize)
            if found == name { return content }
            offset = contentStart + aligned(contentSize)
        }
        return nil
    }

    private static func aligned(_ count: Int) -> Int { (count + 3) & ~3 }

    private static func malformed(_ reason: String) -> Failure { Failure("read", "the ELF core file", reason) }
}
