// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// The number of CPUs in the machine, started or not.
struct PresentProcessors: Equatable, Sendable, CustomStringConvertible {
    let count: Int
    /// Whether the count is from the firmware's table, which no kernel parameter changes.
    let isInFirmware: Bool

    var description: String { isInFirmware ? "this machine has \(count)" : "this kernel sees only \(count)" }

    /// The count from the firmware's table; without a table, the running kernel's.
    static func now() throws(Failure) -> PresentProcessors {
        if let processors = try inFirmware() { return processors }
        // nr_cpus= and nosmp shorten this list.
        return PresentProcessors(
            count: try processorCount(inFile: "/sys/devices/system/cpu/present"), isInFirmware: false)
    }

    /// The count from the firmware's table of interrupt controllers; nil if there is none, or if it lists no CPU.
    static func inFirmware(_ path: String = "/sys/firmware/acpi/tables/APIC") throws(Failure) -> PresentProcessors? {
        guard exists(path) else { return nil }
        let count = try enabledProcessorCount(interruptTable: try readFile(path, limit: 16 << 20))
        return count > 0 ? PresentProcessors(count: count, isInFirmware: true) : nil
    }
}

/// Counts the enabled CPUs in ACPI's table of interrupt controllers, `APIC` (ACPI specification, "Multiple APIC Description
/// Table"): entries of type 0 and 9 with bit 0 in their flags. A CPU with an entry of each type counts once.
/// - Throws: if the table is malformed.
func enabledProcessorCount(interruptTable table: [UInt8]) throws(Failure) -> Int {
    let fields = table.span.bytes
    var identifiers: Set<UInt32> = []
    // Entries follow the header (36 bytes), the address of the local APIC and the flags.
    try forEachEntry(
        ofACPITable: table, from: 44, "the firmware's CPU table", "one of its entries is malformed"
    ) { (type, offset, size) throws(Failure) in
        let identifier: UInt32, flags: UInt32
        switch type {
        case 0 where size >= 8:
            identifier = UInt32(try fields.integer(at: offset + 3, as: UInt8.self))
            flags = try fields.integer(at: offset + 4)
        case 9 where size >= 16:
            identifier = try fields.integer(at: offset + 4)
            flags = try fields.integer(at: offset + 8)
        default: return true
        }
        if flags & 1 != 0, identifier != .max, type == 9 || identifier != 0xff { identifiers.insert(identifier) }
        return true
    }
    return identifiers.count
}
