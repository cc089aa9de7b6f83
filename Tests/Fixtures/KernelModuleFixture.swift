// SPDX-License-Identifier: Apache-2.0
import Basics

/// A kernel module's file in the making: an ELF object with the sections that depmod, modprobe and modinfo read
/// (kmod 30, libkmod/libkmod-elf.c).
public struct KernelModuleFixture: Sendable {
    /// Lines of .modinfo besides the kernel's version: `alias=…`, `softdep=…`.
    public var information: [String]
    /// The functions that the module has for others, and those that it takes from others.
    public var exports: [String]
    public var imports: [String]

    public init(_ information: [String] = [], exports: [String] = [], imports: [String] = []) {
        self.information = information
        self.exports = exports
        self.imports = imports
    }

    /// - Parameter version: the kernel's version; nil for a module without one.
    public func bytes(version: String?) -> [UInt8] {
        let lines = version.map { ["vermagic=\($0) SMP preempt mod_unload "] } ?? []
        var names: [UInt8] = [0], symbols = [UInt8](repeating: 0, count: 24)
        for name in imports {
            symbols.append(littleEndian: UInt32(names.count))
            // STB_GLOBAL, and section 0: another module has it.
            symbols.append(littleEndian: UInt32(0x10))
            symbols += [UInt8](repeating: 0, count: 16)
            names += Self.text(name)
        }
        let progbits: UInt32 = 1, symtab: UInt32 = 2, strtab: UInt32 = 3
        let sections: [(name: String, type: UInt32, content: [UInt8])] = [
            ("", 0, []), (".modinfo", progbits, (lines + information).flatMap(Self.text)),
            ("__ksymtab_strings", progbits, exports.flatMap(Self.text)), (".symtab", symtab, symbols),
            (".strtab", strtab, names),
        ]
        let sectionNames = (sections.map(\.name) + [".shstrtab"]).flatMap(Self.text)
        var bytes = Array("\u{7f}ELF".utf8) + [2, 1, 1] + [UInt8](repeating: 0, count: 57)
        var headers: [UInt8] = [], nameOffset = 0
        for (name, type, content) in sections + [(".shstrtab", strtab, sectionNames)] {
            headers.append(littleEndian: UInt32(nameOffset))
            headers.append(littleEndian: type)
            // Flags, address, offset, size.
            for value in [0, 0, bytes.count, content.count] { headers.append(littleEndian: UInt64(value)) }
            // The section of the symbols' names, the first global symbol, alignment, bytes of an entry.
            headers.append(littleEndian: UInt32(type == symtab ? 4 : 0))
            headers.append(littleEndian: UInt32(type == symtab ? 1 : 0))
            headers.append(littleEndian: UInt64(1))
            headers.append(littleEndian: UInt64(type == symtab ? 24 : 0))
            bytes += content + [UInt8](repeating: 0, count: (8 - content.count % 8) % 8)
            nameOffset += name.utf8.count + 1
        }
        // ET_REL, EM_X86_64, version 1; then the section headers and the section of their names.
        bytes.put(UInt16(1), at: 16)
        bytes.put(UInt16(62), at: 18)
        bytes.put(UInt32(1), at: 20)
        bytes.put(UInt64(bytes.count), at: 40)
        for (value, offset) in [(64, 52), (64, 58), (sections.count + 1, 60), (sections.count, 62)] {
            bytes.put(UInt16(value), at: offset)
        }
        return bytes + headers
    }

    private static func text(_ text: String) -> [UInt8] { Array(text.utf8) + [0] }
}
