// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// A processor vendor for which the kernel loads microcode from an initrd (6.12, arch/x86/kernel/cpu/microcode/core.c). The raw
/// value is `vendor_id` in /proc/cpuinfo and part of the file's name.
enum ProcessorMaker: String, CaseIterable {
    case intel = "GenuineIntel"
    case amd = "AuthenticAMD"

    /// The path of the microcode in an initrd (Documentation/arch/x86/microcode.rst).
    var microcodePath: String { "kernel/x86/microcode/\(rawValue).bin" }

    /// The vendor of this machine's first CPU; nil if it is another vendor or cannot be read.
    static func ofThisMachine() -> ProcessorMaker? {
        // With many CPUs the file has megabytes. The first CPU comes first.
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

/// The files in the uncompressed cpio archives at the beginning of an initrd: microcode and ACPI tables, which a kernel reads
/// early in its boot, and the list of kernel modules for /init.
struct EarlyInitrd: Equatable {
    /// The vendors for whose processors the initrd has microcode.
    var microcode: Set<ProcessorMaker> = []
    var hasACPITables = false
    /// The text of the list of modules; nil if there is none.
    private var moduleText: [UInt8]?

    init(_ initrd: [UInt8]) {
        EarlyInitrd.walk(initrd) { name, data in
            if name.elementsEqual(ModuleList.path.utf8.dropFirst()) { moduleText = Array(initrd[data]) }
            guard !data.isEmpty else { return }
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

    /// The kernel modules that /init loads.
    /// - Parameter path: the initrd's path, for the message.
    func modules(path: String) throws(Failure) -> ModuleList {
        guard let moduleText else { return .none }
        guard moduleText.count <= ModuleList.byteLimit else {
            throw Failure(
                "load initrd", path, "its list of kernel modules has \(describe(bytes: UInt64(moduleText.count)))",
                remedy: "build it again with mkinitramfs.sh")
        }
        return try ModuleList(String(decoding: moduleText, as: UTF8.self))
    }

    /// Whether the initrd has microcode for a vendor's processors; for any vendor's if `maker` is nil.
    func hasMicrocode(for maker: ProcessorMaker?) -> Bool { maker.map { microcode.contains($0) } ?? !microcode.isEmpty }

    /// The byte offset behind the uncompressed archives and the zeros after them. The kernel unpacks the rest in another way
    /// (6.12, init/initramfs.c, `unpack_to_rootfs`).
    static func end(of initrd: [UInt8]) -> Int {
        var offset = walk(initrd) { _, _ in }
        while offset < initrd.count, initrd[offset] == 0 { offset += 1 }
        return offset
    }

    /// Reads cpio archives in newc format as the kernel does (6.12, lib/earlycpio.c, `find_cpio_data`): skips zeros between
    /// them and stops at the first byte that belongs to no archive.
    /// - Parameter visit: is called with the name of each regular file and the byte range of its contents.
    /// - Returns: the byte offset of the last entry's end.
    @discardableResult
    private static func walk(_ initrd: [UInt8], _ visit: (ArraySlice<UInt8>, Range<Int>) -> Void) -> Int {
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
            if mode & 0o170000 == 0o100000 { visit(initrd[nameStart..<nameStart + nameSize - 1], data..<data + size) }
            offset = (data + size + 3) & ~3
            end = min(offset, initrd.count)
        }
        return end
    }

    /// Bytes in a header: the magic and 13 fields of 8 hexadecimal digits.
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

/// Warns if kernel A loaded microcode or replaced ACPI tables at boot and kernel C would not. Kernel C's processor could lack
/// features, or its ACPI tables would differ, so it would refuse every resume.
///
/// - Parameters:
///   - initrd: kernel B's rootfs.gz, which kernel C boots too.
///   - messages: the kernel log.
///   - taint: the number in /proc/sys/kernel/tainted.
///   - maker: the vendor of this machine's processors; nil if it is unknown.
func findEarlyLoads(
    _ initrd: EarlyInitrd, _ messages: KernelMessages, taint: UInt64, maker: ProcessorMaker?,
    _ findings: inout Findings
) {
    // 6.12: "microcode: Updated early from: …" (arch/x86/kernel/cpu/microcode/core.c); 6.2: "microcode: updated early: …";
    // older kernels: "microcode: microcode updated early to …".
    let hasMicrocode = messages.texts.contains { has("microcode:", in: $0) && has("updated early", in: $0) }
    let isMicrocodeThere = initrd.hasMicrocode(for: maker)
    if hasMicrocode, !isMicrocodeThere {
        findings.warn(
            "the running kernel loaded microcode at boot, but rootfs.gz has none"
                + (maker.map { " for \($0.rawValue)" } ?? "")
                + ": kernel C may miss processor features and refuse to resume",
            remedy:
                "build rootfs.gz with mkinitramfs.sh --microcode FILE, or let kernel C's boot entry load the microcode's "
                + "initrd before rootfs.gz")
    }
    // "microcode: load: updated on … primary CPUs with … siblings" follows a write to `reload` (the same file,
    // `load_late_stop_cpus`).
    let isLate = messages.texts.contains { has("microcode:", in: $0) && has("load: updated on", in: $0) }
    if isLate {
        findings.warn(
            "the running kernel loaded microcode late, after its boot, and kernel C does not: kernel C may miss processor "
                + "features and refuse to resume",
            remedy:
                "load the microcode at boot, and build rootfs.gz with mkinitramfs.sh --microcode FILE")
    }
    // The kernel logs "ACPI: Table Upgrade: override […]" or "install" for tables from an initrd. A table that is built into
    // the kernel sets bit 8 of its taint (6.12, drivers/acpi/tables.c, TAINT_OVERRIDDEN_ACPI_TABLE).
    let hasTables = taint >> 8 & 1 != 0 || messages.texts.contains { has("acpi: table upgrade: ", in: $0) }
    if hasTables, !initrd.hasACPITables {
        findings.warn(
            "the running kernel replaced ACPI tables at boot, but rootfs.gz has none: kernel C would find other tables and "
                + "refuse to resume",
            remedy:
                "build rootfs.gz with mkinitramfs.sh --acpi-tables DIRECTORY, or let kernel C's boot entry load the tables' "
                + "initrd before rootfs.gz")
    }
    if !messages.isComplete, !isMicrocodeThere || !initrd.hasACPITables {
        findings.note(
            "cannot check whether the running kernel loaded microcode or replaced ACPI tables at boot, because the beginning "
                + "of the kernel log is lost; kernel C needs the same microcode and tables")
    }
}

/// Whether a text contains a part, regardless of the case of ASCII letters.
/// - Parameter part: in lower case.
private func has(_ part: String, in text: String) -> Bool {
    let part = Array(part.utf8)
    let text = text.utf8.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }
    guard part.count <= text.count else { return false }
    return (0...text.count - part.count).contains { text[$0..<$0 + part.count].elementsEqual(part) }
}
