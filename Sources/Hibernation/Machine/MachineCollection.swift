// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import MemoryImage

extension MachineIdentity {
    /// Collects kernel A's machine, once, before the jump.
    /// - Parameters:
    ///   - firmwareMap: the firmware's memory map, without `hotPlugged`.
    ///   - hotPlugged: physical addresses of memory that was plugged in and that ACPI describes as a device.
    /// - Throws: if a file of /proc or /sys cannot be read, or if more CPUs are online than the firmware's table lists: CPUs
    ///   that were plugged in are missing after power-on.
    static func collect(
        firmwareMap: [FirmwareRange], hotPlugged: [PhysicalRange]
    ) throws(Failure) -> MachineIdentity {
        var machine = MachineIdentity()
        machine.hasFiveLevelPaging = try runsWithFiveLevelPaging()
        machine.processorCount = UInt32(clamping: try onlineProcessorCount())
        try requireOnlineProcessors(Int(machine.processorCount), try PresentProcessors.inFirmware())
        machine.processorFeatures = Linux.processorFeatures()
        machine.microcodeRevision = Linux.microcodeRevision()
        machine.acpiChecksum = try acpiTablesChecksum()
        machine.hotPluggedRanges = hotPlugged
        machine.firmwareMap = firmwareMap
        return machine
    }

    /// Refuses a system with more online CPUs than the firmware's table lists.
    /// - Parameter present: the CPUs in the table; nil if there is no table.
    static func requireOnlineProcessors(_ online: Int, _ present: PresentProcessors?) throws(Failure) {
        guard let present, online > present.count else { return }
        throw Failure(
            "hibernate", "",
            "\(online) CPUs are online, but the firmware's CPU table lists only \(present.count); the others would be missing "
                + "after power-on",
            remedy: "take the hot-plugged CPUs offline in /sys/devices/system/cpu")
    }
}

/// Whether the running kernel uses 5-level page tables. If it does not, /proc/cpuinfo hides the flag `la57` (6.12,
/// arch/x86/kernel/cpu/common.c).
func runsWithFiveLevelPaging() throws(Failure) -> Bool {
    try processorFlags().contains { $0.utf8.elementsEqual("la57".utf8) }
}

/// The flags of the first CPU in /proc/cpuinfo; empty if there are none.
func processorFlags() throws(Failure) -> [String] {
    var result: [String] = []
    try readLines("/proc/cpuinfo") { (line) throws(Failure) in
        guard let flags = processorFlags(inLine: line) else { return true }
        result = flags
        return false
    }
    return result
}

/// The flags in a line of /proc/cpuinfo; nil if it is another line.
func processorFlags(inLine line: String) -> [String]? {
    guard line.utf8.starts(with: "flags".utf8) else { return nil }
    return line.split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == "\n" }).map { String($0) }
}
