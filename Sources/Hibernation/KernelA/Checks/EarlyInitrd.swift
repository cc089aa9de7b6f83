// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// A maker of processors, for which the kernel takes microcode from an initrd (arch/x86/kernel/cpu/microcode/core.c, Linux
/// 6.12): `vendor_id` in /proc/cpuinfo, and the name of the file.
enum ProcessorMaker: String, CaseIterable {
    case intel = "GenuineIntel"
    case amd = "AuthenticAMD"

    /// Where the microcode is in an initrd (Documentation/arch/x86/microcode.rst).
    var microcodePath: String { "kernel/x86/microcode/\(rawValue).bin" }

    /// That of this machine's first CPU; nil if it is another, or cannot be read.
    static func ofThisMachine() -> ProcessorMaker? {
        // With many CPUs the file has megabytes; the first CPU is in its beginning.
        guard let text = try? readBeginning("/proc/cpuinfo", byteCount: 4096) else { return nil }
        return ProcessorMaker(cpuInfo: text)
    }

    /// - Parameter cpuInfo: the text of /proc/cpuinfo.
    init?(cpuInfo: String) {
        for line in cpuInfo.split(separator: "\n") where line.utf8.starts(with: "vendor_id".utf8) {
            guard let value = line.split(separator: ":").last else { continue }
            let name = Array(trimmed(String(value)).utf8.drop { $0 == UInt8(ascii: " ") })
            for maker in ProcessorMaker.allCases where name.elementsEqual(maker.rawValue.utf8) {
                self = maker
                return
            }
            return nil
        }
        return nil
    }
}

/// What a kernel takes from the uncompressed archives at the beginning of an initrd, before anything is unpacked.
struct EarlyInitrd: Equatable {
    /// For whose processors there is microcode.
    var microcode: Set<ProcessorMaker> = []
    var hasACPITables = false

    init(_ initrd: [UInt8]) {
        EarlyInitrd.walk(initrd) { name, size in
            guard size > 0 else { return }
            for maker in ProcessorMaker.allCases where name.elementsEqual(maker.microcodePath.utf8) {
                microcode.insert(maker)
            }
            if name.starts(with: "kernel/firmware/acpi/".utf8) { hasACPITables = true }
        }
    }

    init(microcode: Set<ProcessorMaker> = [], hasACPITables: Bool = false) {
        self.microcode = microcode
        self.hasACPITables = hasACPITables
    }

    /// Whether there is microcode for a maker's processors; nil: for anybody's.
    func hasMicrocode(for maker: ProcessorMaker?) -> Bool { maker.map { microcode.contains($0) } ?? !microcode.isEmpty }

    /// Byte offset behind the archives, and the zeros behind them: what follows is unpacked in another way
    /// (init/initramfs.c, `unpack_to_rootfs`, Linux 6.12).
    static func end(of initrd: [UInt8]) -> Int {
        var offset = walk(initrd) { _, _ in }
        while offset < initrd.count, initrd[offset] == 0 { offset += 1 }
        return offset
    }

    /// Goes through archives of the format newc as the kernel does (lib/earlycpio.c, `find_cpio_data`, Linux 6.12): up to
    /// the first bytes that are none, and over zeros between them.
    /// - Parameter visit: is called with the name of each regular file, and its size in bytes.
    /// - Returns: where the last entry ends.
    @discardableResult
    private static func walk(_ initrd: [UInt8], _ visit: (ArraySlice<UInt8>, Int) -> Void) -> Int {
        var offset = 0, end = 0
        while offset < initrd.count {
            if initrd[offset] == 0 {
                offset += 4
                continue
            }
            guard let mode = field(1, initrd, offset), let size = field(6, initrd, offset),
                let nameSize = field(11, initrd, offset), hasMagic(initrd, offset), nameSize > 0,
                nameSize <= initrd.count - offset - headerSize
            else { return end }
            let nameStart = offset + headerSize
            let data = (nameStart + nameSize + 3) & ~3
            guard data <= initrd.count, size <= initrd.count - data else { return end }
            if mode & 0o170000 == 0o100000 { visit(initrd[nameStart..<nameStart + nameSize - 1], size) }
            offset = (data + size + 3) & ~3
            end = min(offset, initrd.count)
        }
        return end
    }

    /// The magic and 13 fields of 8 hexadecimal digits.
    private static let headerSize = 6 + 13 * 8

    private static func hasMagic(_ bytes: [UInt8], _ offset: Int) -> Bool {
        let magic = bytes[offset..<offset + 6]
        return magic.elementsEqual("070701".utf8) || magic.elementsEqual("070702".utf8)
    }

    private static func field(_ number: Int, _ bytes: [UInt8], _ offset: Int) -> Int? {
        guard bytes.count - offset >= headerSize else { return nil }
        let start = offset + 6 + number * 8
        return parseHexadecimal(String(decoding: bytes[start..<start + 8], as: UTF8.self)).flatMap { Int(exactly: $0) }
    }
}

/// What kernel A loaded early that kernel C would be without: its processor could lack features, and its ACPI tables differ, so
/// that every resume would be refused.
///
/// - Parameters:
///   - initrd: the rootfs.gz of kernel B, which kernel C boots too.
///   - taint: /proc/sys/kernel/tainted.
///   - maker: of this machine's processors; nil if that is not known.
func findEarlyLoads(
    _ initrd: EarlyInitrd, _ messages: KernelMessages, taint: UInt64, maker: ProcessorMaker?,
    _ findings: inout Findings
) {
    // "microcode: Updated early from: …" (arch/x86/kernel/cpu/microcode/core.c, Linux 6.12), "microcode: updated early: …"
    // (6.2), "microcode: microcode updated early to …" (before).
    let hasMicrocode = messages.texts.contains { has("microcode:", in: $0) && has("updated early", in: $0) }
    let isMicrocodeThere = initrd.hasMicrocode(for: maker)
    if hasMicrocode, !isMicrocodeThere {
        findings.warn(
            "this kernel updated the microcode early, and the rootfs.gz has none"
                + (maker.map { " for \($0.rawValue)" } ?? "")
                + ": kernel C may refuse to resume for missing processor features",
            remedy:
                "build the rootfs.gz with mkinitramfs.sh --microcode FILE, or boot kernel C with the microcode's initrd "
                + "in front")
    }
    // "microcode: load: updated on … primary CPUs with … siblings", after a write to `reload` (the same file, `load_late_stop_cpus`).
    let isLate = messages.texts.contains { has("microcode:", in: $0) && has("load: updated on", in: $0) }
    if isLate {
        findings.warn(
            "this kernel updated the microcode late, while it was running, and kernel C does not do that: it may refuse to "
                + "resume for missing processor features",
            remedy:
                "load the microcode early in this kernel, and build the rootfs.gz with mkinitramfs.sh --microcode FILE")
    }
    // "ACPI: Table Upgrade: override […]" or "install" for tables from an initrd; a table that is built into the kernel
    // taints it with bit 8 (drivers/acpi/tables.c, TAINT_OVERRIDDEN_ACPI_TABLE, Linux 6.12).
    let hasTables = taint >> 8 & 1 != 0 || messages.texts.contains { has("acpi: table upgrade: ", in: $0) }
    if hasTables, !initrd.hasACPITables {
        findings.warn(
            "this kernel replaced ACPI tables, and the rootfs.gz has none: kernel C would refuse to resume, as the tables differ",
            remedy:
                "build the rootfs.gz with mkinitramfs.sh --acpi-tables DIRECTORY, or boot kernel C with the tables' "
                + "initrd in front")
    }
    if !messages.isComplete, !isMicrocodeThere || !initrd.hasACPITables {
        findings.note(
            "the kernel's log has lost its beginning, so it does not tell whether microcode was updated or ACPI tables were "
                + "replaced early; kernel C needs the same")
    }
}

/// Whether a text has a part, which is in lower case; case does not count in ASCII.
private func has(_ part: String, in text: String) -> Bool {
    let part = Array(part.utf8)
    let text = text.utf8.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }
    guard part.count <= text.count else { return false }
    return (0...text.count - part.count).contains { text[$0..<$0 + part.count].elementsEqual(part) }
}
