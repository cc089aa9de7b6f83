// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// The CPUs that the machine has, started or not.
struct PresentProcessors: Equatable, Sendable, CustomStringConvertible {
    let count: Int
    /// Whether the firmware's table tells, which no parameter of the kernel changes.
    let isInFirmware: Bool

    var description: String { isInFirmware ? "this machine has \(count)" : "this kernel knows \(count)" }

    static func now() throws(Failure) -> PresentProcessors {
        if let processors = try inFirmware() { return processors }
        // nr_cpus= and nosmp cut this list.
        return PresentProcessors(
            count: try processorCount(inFile: "/sys/devices/system/cpu/present"), isInFirmware: false)
    }

    /// What the firmware's table of interrupt controllers tells; nil if there is none.
    static func inFirmware(_ path: String = "/sys/firmware/acpi/tables/APIC") throws(Failure) -> PresentProcessors? {
        guard exists(path) else { return nil }
        let count = try enabledProcessorCount(interruptTable: try readFile(path, limit: 16 << 20))
        return count > 0 ? PresentProcessors(count: count, isInFirmware: true) : nil
    }
}

/// Enabled CPUs in ACPI's table of interrupt controllers, `APIC` (ACPI specification, "Multiple APIC Description Table"):
/// entries of type 0 and 9 whose flags have bit 0. A CPU that has an entry of each type counts once.
/// - Throws: if the table is malformed.
func enabledProcessorCount(interruptTable table: [UInt8]) throws(Failure) -> Int {
    let fields = table.span.bytes
    var identifiers: Set<UInt32> = []
    // Behind the header (36 bytes), the address of the local APIC and the flags.
    var offset = 44
    while offset + 2 <= table.count {
        let type: UInt8 = try fields.integer(at: offset)
        let size = Int(try fields.integer(at: offset + 1, as: UInt8.self))
        guard size >= 2, offset + size <= table.count else {
            throw Failure("read", "the firmware's table of CPUs", "an entry of it is malformed")
        }
        let identifier: UInt32, flags: UInt32
        switch type {
        case 0 where size >= 8:
            identifier = UInt32(try fields.integer(at: offset + 3, as: UInt8.self))
            flags = try fields.integer(at: offset + 4)
        case 9 where size >= 16:
            identifier = try fields.integer(at: offset + 4)
            flags = try fields.integer(at: offset + 8)
        default:
            offset += size
            continue
        }
        if flags & 1 != 0, identifier != .max, type == 9 || identifier != 0xff { identifiers.insert(identifier) }
        offset += size
    }
    return identifiers.count
}
