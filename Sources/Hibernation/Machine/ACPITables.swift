// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import MemoryImage

/// The XXH64 of the firmware's ACPI tables that describe the machine; 0 if there are none.
///
/// Tables that differ from boot to boot (performance records, the boot logo, UEFI's own tables) are left out. Of the FACS, only
/// the hardware signature counts; the kernel's own hibernation compares it as well (ACPI specification, "Firmware ACPI Control
/// Structure").
/// - Parameter folder: the folder with one file for each table.
/// - Throws: if a table cannot be read.
func acpiTablesChecksum(_ folder: String = "/sys/firmware/acpi/tables") throws(Failure) -> UInt64 {
    guard exists(folder) else { return 0 }
    let names = try listDirectory(folder).filter { name in
        ["DSDT", "SSDT", "FACP", "FACS", "APIC", "MCFG", "SRAT", "DMAR", "IVRS"].contains {
            name.utf8.starts(with: $0.utf8)
        }
    }
    var sum: UInt64 = 0
    for name in names.sorted() {
        var table = try readFile("\(folder)/\(name)", limit: 16 << 20)
        if name == "FACS" { table = table.count >= 12 ? Array(table[8..<12]) : [] }
        sum = (Array(name.utf8) + table).withUnsafeBytes { xxh64($0, seed: sum) }
    }
    return sum
}

/// Reads the entries of an ACPI table that is a list of them: each begins with a byte for its type and a byte for its size.
/// - Parameters:
///   - table: the bytes of the table.
///   - offset: the byte offset of the first entry.
///   - name: the table's name, for the message.
///   - reason: the message for an entry that does not lie in the table.
///   - visit: takes the type, the byte offset and the size of an entry; returns false to stop.
/// - Throws: if an entry is malformed.
func forEachEntry(
    ofACPITable table: [UInt8], from offset: Int, _ name: String, _ reason: String,
    _ visit: (_ type: UInt8, _ offset: Int, _ size: Int) throws(Failure) -> Bool
) throws(Failure) {
    let fields = table.span.bytes
    var offset = offset
    while offset + 2 <= table.count {
        let type: UInt8 = try fields.integer(at: offset)
        let size = Int(try fields.integer(at: offset + 1, as: UInt8.self))
        guard size >= 2, offset + size <= table.count else { throw Failure("read", name, reason) }
        guard try visit(type, offset, size) else { return }
        offset += size
    }
}

/// The physical address of ACPI's root table (RSDP), from boot_params or from the firmware's system table. It is 0 if
/// neither has it; the kernel then finds the table by itself.
/// - Parameter systab: the text of /sys/firmware/efi/systab.
func findRSDP(_ bootParameters: [UInt8], systab: String) -> UInt64 {
    if bootParameters.count == 4096,
        let address = try? bootParameters.span.bytes.integer(at: 0x70, as: UInt64.self),
        address != 0
    {
        return address
    }
    for name in ["ACPI20=", "ACPI="] {
        for line in systab.split(separator: "\n") where line.utf8.starts(with: name.utf8) {
            if let address = parseNumber(String(decoding: line.utf8.dropFirst(name.utf8.count), as: UTF8.self)) {
                return address
            }
        }
    }
    return 0
}
