import Basics
import Linux

/// What a kernel takes from the uncompressed archives at the beginning of an initrd, before anything is unpacked.
struct EarlyInitrd: Equatable {
    var hasMicrocode = false
    var hasACPITables = false

    /// Goes through archives of the format newc as the kernel does (lib/earlycpio.c, `find_cpio_data`, Linux 6.12): up to
    /// the first bytes that are none, and over zeros between them.
    init(_ initrd: [UInt8]) {
        var offset = 0
        while offset < initrd.count {
            if initrd[offset] == 0 {
                offset += 4
                continue
            }
            guard let mode = EarlyInitrd.field(1, initrd, offset), let size = EarlyInitrd.field(6, initrd, offset),
                let nameSize = EarlyInitrd.field(11, initrd, offset), EarlyInitrd.hasMagic(initrd, offset),
                nameSize > 0, nameSize <= initrd.count - offset - EarlyInitrd.headerSize
            else { return }
            let nameStart = offset + EarlyInitrd.headerSize
            let data = (nameStart + nameSize + 3) & ~3
            guard data <= initrd.count, size <= initrd.count - data else { return }
            if mode & 0o170000 == 0o100000, size > 0 {
                let name = initrd[nameStart..<nameStart + nameSize - 1]
                if name.elementsEqual("kernel/x86/microcode/GenuineIntel.bin".utf8)
                    || name.elementsEqual("kernel/x86/microcode/AuthenticAMD.bin".utf8)
                {
                    hasMicrocode = true
                }
                if name.starts(with: "kernel/firmware/acpi/".utf8) { hasACPITables = true }
            }
            offset = (data + size + 3) & ~3
        }
    }

    init(hasMicrocode: Bool = false, hasACPITables: Bool = false) {
        self.hasMicrocode = hasMicrocode
        self.hasACPITables = hasACPITables
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
func findEarlyLoads(_ initrd: EarlyInitrd, _ messages: KernelMessages, taint: UInt64, _ findings: inout Findings) {
    // "microcode: Updated early from: …" (arch/x86/kernel/cpu/microcode/core.c, Linux 6.12), "microcode: updated early: …"
    // (6.2), "microcode: microcode updated early to …" (before).
    let hasMicrocode = messages.texts.contains { has("microcode:", in: $0) && has("updated early", in: $0) }
    if hasMicrocode, !initrd.hasMicrocode {
        findings.warn(
            "this kernel updated the microcode early, and the rootfs.gz has none: kernel C may refuse to resume for missing "
                + "processor features",
            remedy:
                "build the rootfs.gz with mkinitramfs.sh --microcode FILE, or boot kernel C with the microcode's initrd "
                + "in front")
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
    if !messages.isComplete, !initrd.hasMicrocode || !initrd.hasACPITables {
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
