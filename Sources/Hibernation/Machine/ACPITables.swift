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
