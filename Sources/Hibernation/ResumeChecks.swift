import Basics
import Linux
import MemoryImage
import PhysicalMemory

/// Whether the running kernel is one that can put an image back: it must live where the image is not, and on the machine
/// that kernel A ran on.
struct ResumeChecks {
    private let description: ImageDescription

    init(_ description: ImageDescription) { self.description = description }

    func perform() throws(Failure) {
        try checkOwnMemory(systemMemory(parseIOMemory(readText("/proc/iomem"))))
        guard let map = try readFirmwareMemoryMap() else {
            throw Failure(
                "compare", "the memory map", "/sys/firmware/memmap is not there",
                remedy: "use a kernel with CONFIG_FIRMWARE_MEMMAP")
        }
        try checkFirmwareMap(map)
        // What is written is memory of this machine, whatever the image says.
        try requireMemory(description.memoryRanges + description.backupRanges, in: map)
        try checkEntry()
        let hasFiveLevels = hasFiveLevelPaging(cpuInfo: try readText("/proc/cpuinfo"))
        guard hasFiveLevels == description.hasFiveLevelPaging else {
            throw Failure(
                "resume", "kernel A",
                "it ran with \(description.hasFiveLevelPaging ? 5 : 4)-level page tables, this kernel "
                    + "runs with \(hasFiveLevels ? 5 : 4)",
                remedy: description.hasFiveLevelPaging ? "boot without no5lvl" : "boot with no5lvl")
        }
        try checkProcessors(count: try onlineProcessorCount(), processorFeatures(), microcode: microcodeRevision())
        try checkACPITables(try acpiTablesChecksum())
    }

    /// This kernel's memory must be within the backup ranges: everything else is kernel A's.
    func checkOwnMemory(_ own: [AddressRange]) throws(Failure) {
        let outside = own.subtracting(description.backupRanges)
        guard let first = outside.first else { return }
        let end = description.backupRanges.last?.upperBound ?? 0
        throw Failure(
            "restore", "kernel A's memory", "this kernel itself uses \(hexadecimal(first))",
            remedy: "boot it with mem=\(end / (1 << 20))M")
    }

    /// The kernel's own hibernation compares the firmware's map in the same way (arch/x86/power/hibernate.c).
    func checkFirmwareMap(_ map: [FirmwareMemoryRange]) throws(Failure) {
        let saved = description.firmwareMap.map { FirmwareMemoryRange(addresses: $0.addresses, type: $0.type) }
        for (now, then) in zip(map, saved) where now != then {
            throw Failure(
                "resume", "kernel A",
                "the machine's memory map has changed: \(hexadecimal(now.addresses)) is \(now.type), "
                    + "where \(hexadecimal(then.addresses)) was \(then.type)")
        }
        guard map.count == saved.count else {
            throw Failure(
                "resume", "kernel A",
                "the machine's memory map has changed: it has \(map.count) ranges, where it had \(saved.count)")
        }
    }

    /// Kernel A goes on with the CPUs and the features that it found when it booted.
    /// - Parameter microcode: the revision of the microcode; 0 if it is not known. Another one is no reason to refuse, but
    ///   often the one why features are missing.
    func checkProcessors(count: Int, _ features: [UInt64], microcode: UInt64 = 0) throws(Failure) {
        guard count >= Int(description.processorCount) else {
            throw Failure(
                "resume", "kernel A", "it ran on \(description.processorCount) CPUs, this kernel runs on \(count)",
                remedy: "boot with all CPUs, without nosmp and maxcpus=")
        }
        if let difference = processorDifference(description.processorFeatures, features) {
            let old = description.microcodeRevision
            guard old != 0, microcode != 0, old != microcode else {
                throw Failure("resume", "kernel A", "the processor has changed: \(difference)")
            }
            throw Failure(
                "resume", "kernel A",
                "the processor has changed: \(difference), and has microcode 0x\(hexadecimal(microcode)) "
                    + "instead of 0x\(hexadecimal(old))",
                remedy: "give kernel C the same microcode: mkinitramfs.sh --microcode FILE")
        }
    }

    func checkACPITables(_ checksum: UInt64) throws(Failure) {
        guard checksum == description.acpiChecksum else {
            throw Failure(
                "resume", "kernel A", "the firmware's ACPI tables have changed",
                remedy:
                    "undo changes of the hardware and the firmware's settings, or, if kernel A's initramfs replaces "
                    + "tables, give kernel C the same: mkinitramfs.sh --acpi-tables DIRECTORY")
        }
    }

    private func checkEntry() throws(Failure) {
        let saved = description.savedRanges
        let entry = description.jumpBackEntry
        guard saved.contains(where: { $0.contains(entry) }) else {
            throw Failure(
                "resume", "kernel A", "its entry 0x\(hexadecimal(entry)) is not in its saved memory",
                isFinal: true)
        }
    }
}

/// Refuses ranges that the firmware's map does not have as memory.
func requireMemory(_ ranges: [AddressRange], in map: [FirmwareMemoryRange]) throws(Failure) {
    let memory = map.filter { $0.type == "System RAM" }.map { $0.addresses }
    guard let foreign = ranges.subtracting(memory).first else { return }
    throw Failure(
        "resume", "kernel A", "the firmware of this machine has no memory at \(hexadecimal(foreign))",
        remedy: "boot kernel A without memmap= and add_efi_memmap")
}

/// Whether the kernel that wrote this /proc/cpuinfo runs with 5-level page tables: it hides the flag `la57` otherwise
/// (arch/x86/kernel/cpu/common.c).
func hasFiveLevelPaging(cpuInfo: String) -> Bool {
    for line in cpuInfo.split(separator: "\n") where line.utf8.starts(with: "flags".utf8) {
        return line.split(separator: " ").contains { $0.utf8.elementsEqual("la57".utf8) }
    }
    return false
}
