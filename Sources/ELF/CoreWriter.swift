// SPDX-License-Identifier: Apache-2.0
import Basics

/// A note for kernel B's /proc/vmcore.
public struct CoreNote: Sendable {
    public var name: String
    public var content: [UInt8]
    public init(name: String, content: [UInt8]) {
        self.name = name
        self.content = content
    }
}

/// The ELF core header from which kernel B builds /proc/vmcore (fs/proc/vmcore.c). `elfcorehdr=` on kernel B's command line has
/// its physical address. The file offsets in it are physical addresses.
public struct CoreWriter {
    private static let elfHeaderByteCount = 64
    private static let programHeaderByteCount = 56

    private let notes: [UInt8]
    private let memory: [PhysicalRange]

    /// - Throws: if there are more ranges than `maximumMemoryRanges`, or if the notes are larger than `maximumNoteByteCount`.
    public init(notes: [CoreNote], memory: [PhysicalRange]) throws(Failure) {
        guard memory.count <= maximumMemoryRanges else {
            throw Failure(
                "make", "the ELF core header",
                "kernel A's memory has \(memory.count) ranges, more than \(maximumMemoryRanges)")
        }
        var bytes: [UInt8] = []
        for note in notes {
            // The size of the name includes its NUL. Name and content are each padded to a multiple of 4 bytes.
            bytes.append(littleEndian: UInt32(note.name.utf8.count + 1))
            bytes.append(littleEndian: UInt32(note.content.count))
            bytes.append(littleEndian: UInt32(0))
            bytes += Array(note.name.utf8) + [0]
            bytes += [UInt8](repeating: 0, count: (4 - bytes.count % 4) % 4)
            bytes += note.content
            bytes += [UInt8](repeating: 0, count: (4 - bytes.count % 4) % 4)
        }
        guard bytes.count <= maximumNoteByteCount else {
            throw Failure(
                "make", "the ELF core header",
                "its notes have \(describe(bytes: UInt64(bytes.count))), and kernel B reads at most "
                    + describe(bytes: UInt64(maximumNoteByteCount)))
        }
        self.notes = bytes
        self.memory = memory
    }

    private var tableByteCount: Int {
        CoreWriter.elfHeaderByteCount + (1 + memory.count) * CoreWriter.programHeaderByteCount
    }

    /// The size of the header with its notes.
    public var byteCount: Int { tableByteCount + notes.count }

    /// The bytes of the header, for its place at a physical address.
    public func encoded(at address: UInt64) -> [UInt8] {
        var bytes: [UInt8] = [0x7f, UInt8(ascii: "E"), UInt8(ascii: "L"), UInt8(ascii: "F"), 2, 1, 1]
        bytes += [UInt8](repeating: 0, count: 16 - bytes.count)
        bytes.append(littleEndian: UInt16(4))  // ET_CORE
        bytes.append(littleEndian: UInt16(62))  // EM_X86_64
        bytes.append(littleEndian: UInt32(1))  // EV_CURRENT
        bytes.append(littleEndian: UInt64(0))  // e_entry
        bytes.append(littleEndian: UInt64(CoreWriter.elfHeaderByteCount))  // e_phoff
        bytes.append(littleEndian: UInt64(0))  // e_shoff
        bytes.append(littleEndian: UInt32(0))  // e_flags
        bytes.append(littleEndian: UInt16(CoreWriter.elfHeaderByteCount))
        bytes.append(littleEndian: UInt16(CoreWriter.programHeaderByteCount))
        bytes.append(littleEndian: UInt16(1 + memory.count))
        for _ in 0..<3 { bytes.append(littleEndian: UInt16(0)) }  // no sections

        let noteAddress = address + UInt64(tableByteCount)
        CoreWriter.append(&bytes, type: 4, flags: 0, noteAddress..<noteAddress + UInt64(notes.count))  // PT_NOTE
        for range in memory { CoreWriter.append(&bytes, type: 1, flags: 7, range) }  // PT_LOAD
        return bytes + notes
    }

    private static func append(_ bytes: inout [UInt8], type: UInt32, flags: UInt32, _ range: PhysicalRange) {
        bytes.append(littleEndian: type)
        bytes.append(littleEndian: flags)
        bytes.append(littleEndian: range.lowerBound)  // p_offset
        bytes.append(littleEndian: UInt64(0))  // p_vaddr
        bytes.append(littleEndian: range.lowerBound)  // p_paddr
        bytes.append(littleEndian: range.byteCount)  // p_filesz
        bytes.append(littleEndian: range.byteCount)  // p_memsz
        bytes.append(littleEndian: UInt64(0))  // p_align
    }
}
