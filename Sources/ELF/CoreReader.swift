// SPDX-License-Identifier: Apache-2.0
import Basics

/// The program headers and notes of a 64-bit little-endian ELF core file, such as /proc/vmcore and /proc/kcore.
///
/// Fields and their offsets: elf(5), `Elf64_Ehdr`, `Elf64_Phdr` and `Elf64_Nhdr`.
public struct CoreReader: Equatable, Sendable {
    /// A PT_LOAD segment: memory whose contents are in the file.
    public struct Segment: Equatable, Sendable {
        /// Its physical addresses.
        public var addresses: PhysicalRange
        /// The byte offset of its contents in the file.
        public var fileOffset: UInt64
    }

    /// A range of bytes in the file.
    public struct FileRange: Equatable, Sendable {
        public var offset: UInt64
        public var byteCount: UInt64
    }

    public static let headerByteCount = 64
    static let programHeaderByteCount = 56
    /// The maximum number of program headers.
    static let maximumProgramHeaders = 4096

    public var segments: [Segment] = []
    public var notes: [FileRange] = []

    /// The size of the ELF header and the program headers, in bytes from the file's beginning.
    /// - Parameter bytes: at least `headerByteCount` bytes from the file's beginning.
    /// - Throws: if the file is not a 64-bit little-endian x86_64 core file.
    public static func tableByteCount(header bytes: [UInt8]) throws(Failure) -> Int {
        let fields = bytes.span.bytes
        let magic: [UInt8] = [0x7f, UInt8(ascii: "E"), UInt8(ascii: "L"), UInt8(ascii: "F"), 2, 1]
        guard try fields.copy(at: 0, count: 6) == magic else {
            throw malformed("it is not a 64-bit little-endian ELF file")
        }
        // e_type: ET_CORE is 4; e_machine: EM_X86_64 is 62.
        guard try fields.integer(at: 16, as: UInt16.self) == 4, try fields.integer(at: 18, as: UInt16.self) == 62 else {
            throw malformed("it is not a core file for x86_64")
        }
        let offset: UInt64 = try fields.integer(at: 32)
        let entrySize = Int(try fields.integer(at: 54, as: UInt16.self))
        let count = Int(try fields.integer(at: 56, as: UInt16.self))
        guard entrySize == programHeaderByteCount, count <= maximumProgramHeaders, offset <= 1 << 20 else {
            throw malformed("its program headers are malformed")
        }
        return Int(offset) + count * entrySize
    }

    /// Parses the program headers.
    /// - Parameter bytes: at least `tableByteCount(header:)` bytes from the file's beginning.
    /// - Throws: if they are malformed.
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
            guard fileSize <= UInt64.max - fileOffset else {
                throw CoreReader.malformed("a segment ends above the largest file offset")
            }
            // p_type: PT_LOAD is 1, PT_NOTE is 4.
            switch try fields.integer(at: at, as: UInt32.self) {
            case 1:
                // /proc/kcore has -1 for virtual addresses without a physical address.
                if address == UInt64.max { continue }
                guard fileSize <= UInt64.max - address else {
                    throw CoreReader.malformed("a segment ends above the largest address")
                }
                segments.append(Segment(addresses: address..<address + fileSize, fileOffset: fileOffset))
            case 4: notes.append(FileRange(offset: fileOffset, byteCount: fileSize))
            default: break
            }
        }
    }

    /// The content of the note with a name; nil if there is none.
    /// - Parameter bytes: the contents of PT_NOTE segments.
    /// - Throws: if a note ends behind the bytes.
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
