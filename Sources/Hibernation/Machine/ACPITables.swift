// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import MemoryImage

/// The XXH64 of the firmware's ACPI tables that describe the machine; 0 where there are none.
///
/// Tables of which parts differ from boot to boot (performance records, the boot logo, what UEFI adds) are left out, and of
/// the FACS only the hardware signature counts, which the kernel's own hibernation compares as well (ACPI specification,
/// "Firmware ACPI Control Structure").
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
