// SPDX-License-Identifier: Apache-2.0
import Basics
import Kexec
import Linux
import MemoryImage
import PhysicalMemory

/// Whether the running kernel is one that can put an image back: it must live where the image is not, and on the machine
/// that kernel A ran on. Kernel B asks as well, before it writes anything: what only kernel C found out would be found out
/// too late.
struct ResumeChecks {
    private let description: ImageDescription

    init(_ description: ImageDescription) { self.description = description }

    /// Kernel C's checks. The last of them writes to memory of kernel A's that nothing has been put back to yet.
    func perform() throws(Failure) {
        let entries = try readIOMemory()
        try requireOwnMemoryApart(systemMemory(entries), KernelCommandLine(try readText("/proc/cmdline")))
        guard let map = try readFirmwareMemoryMap() else {
            throw Failure(
                "compare", "the memory map", "/sys/firmware/memmap is not there",
                remedy: "use a kernel with CONFIG_FIRMWARE_MEMMAP")
        }
        try checkFirmwareMap(map)
        // What is written is memory of this machine, whatever the image says.
        try requireMemory(ownRanges, in: map)
        let processors = try PresentProcessors.now()
        try checkProcessors(processors)
        try performInBoth()
        try MemoryDevice.prove(description.hotPluggedRanges, entries)
    }

    /// What kernel B can find out of what kernel C will: it is the same kernel on the same machine.
    func performInKernelB() throws(Failure) {
        let map = description.firmwareMap.map { FirmwareRange(addresses: $0.addresses, type: $0.type) }
        try requireMemory(ownRanges, in: map)
        // Without the firmware's table, this kernel knows only as many as nr_cpus= lets it.
        if let processors = try PresentProcessors.inFirmware() { try checkProcessors(processors) }
        try performInBoth()
    }

    /// Kernel A's memory that was there when it booted.
    private var ownRanges: [PhysicalRange] {
        (description.memoryRanges + description.backupRanges).subtracting(description.hotPluggedRanges)
    }

    private func performInBoth() throws(Failure) {
        try checkEntry()
        let hasFiveLevels = try runsWithFiveLevelPaging()
        guard hasFiveLevels == description.hasFiveLevelPaging else {
            throw Failure(
                "resume", "kernel A",
                "it ran with \(description.hasFiveLevelPaging ? 5 : 4)-level page tables, this kernel "
                    + "runs with \(hasFiveLevels ? 5 : 4)",
                remedy: description.hasFiveLevelPaging ? "boot without no5lvl" : "boot with no5lvl")
        }
        try checkFeatures(processorFeatures(), microcode: microcodeRevision())
        try checkACPITables(try acpiTablesChecksum())
        _ = try jumpBack(hasGibibytePages: hasGibibytePages())
        try checkMemoryDevice()
    }

    /// The jump into kernel A, with page tables for all of its memory.
    /// - Throws: if they have no room in the backup ranges.
    func jumpBack(hasGibibytePages: Bool) throws(Failure) -> JumpBack {
        try JumpBack(
            entry: description.jumpBackEntry, mapEnd: description.memoryRanges.last?.upperBound ?? 0,
            room: description.backupRanges, hasGibibytePages: hasGibibytePages)
    }

    /// Kernel B's own memory must be what kernel A gave it: all the rest is kernel A's, and would be saved after it was
    /// written to.
    func requireOwnMemoryInBackup(_ own: [PhysicalRange]) throws(Failure) {
        guard let first = own.subtracting(description.backupRanges).first else { return }
        throw Failure(
            "save", "kernel A's memory", "kernel B itself uses \(hexadecimal(first)), which is not its own",
            remedy: "use a kernel that knows mem= and acpi_no_memhotplug with --kernel")
    }

    /// Kernel C's own memory must not be where something is put back.
    func requireOwnMemoryApart(_ own: [PhysicalRange], _ commandLine: KernelCommandLine) throws(Failure) {
        guard let first = own.intersection(description.savedRanges).first else { return }
        let end = description.backupRanges.last?.upperBound ?? 0
        let limit = commandLine.value("mem").flatMap { parseSize($0) }
        let remedy =
            if let limit, limit <= end {
                "it has mem= already; boot it with acpi_no_memhotplug too, and without memmap="
            } else {
                "boot it with mem=\(end >> 20)M"
            }
        throw Failure(
            "restore", "kernel A's memory", "this kernel itself uses \(hexadecimal(first))", remedy: remedy)
    }

    /// The kernel's own hibernation compares the firmware's map in the same way (arch/x86/power/hibernate.c). Memory that was
    /// plugged in is left out on both sides: firmware may have it in the map of the next boot.
    func checkFirmwareMap(_ map: [FirmwareRange]) throws(Failure) {
        let hot = description.hotPluggedRanges
        let map = map.without(hot)
        let saved = description.firmwareMap.map { FirmwareRange(addresses: $0.addresses, type: $0.type) }
            .without(hot)
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

    /// Kernel A starts its CPUs itself: they have to be there, started by this kernel or not.
    func checkProcessors(_ present: PresentProcessors) throws(Failure) {
        guard present.count < Int(description.processorCount) else { return }
        throw Failure(
            "resume", "kernel A", "it ran on \(description.processorCount) CPUs, and \(present)",
            remedy: present.isInFirmware
                ? "give the machine as many CPUs as it had" : "boot without nr_cpus=, maxcpus= and nosmp")
    }

    /// Kernel A goes on with the features that it found when it booted.
    /// - Parameter microcode: the revision of the microcode; 0 if it is not known. Another one is no reason to refuse, but
    ///   often the one why features are missing.
    func checkFeatures(_ features: [UInt64], microcode: UInt64 = 0) throws(Failure) {
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

    /// Memory of kernel A's can be mapped: the page just above N, which the kernel may hold as a buffer, and the entry's.
    private func checkMemoryDevice() throws(Failure) {
        let device = try MemoryDevice()
        let first = description.savedRanges.first { $0.lowerBound >= 1 << 20 }?.lowerBound
        for page in [first, description.jumpBackEntry & ~(pageSize - 1)].compactMap({ $0 }) {
            do throws(Failure) { _ = try device.map(page..<page + pageSize) } catch {
                throw Failure(
                    "map", "kernel A's memory at 0x\(hexadecimal(page))", error.reason,
                    remedy: "use a kernel with CONFIG_DEVMEM, and iomem=relaxed if it has CONFIG_IO_STRICT_DEVMEM",
                    errno: error.errno)
            }
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
func requireMemory(_ ranges: [PhysicalRange], in map: [FirmwareRange]) throws(Failure) {
    let memory = map.filter { $0.type == "System RAM" }.map { $0.addresses }
    guard let foreign = ranges.subtracting(memory).first else { return }
    throw Failure(
        "resume", "kernel A", "the firmware of this machine has no memory at \(hexadecimal(foreign))",
        remedy: "boot kernel A without memmap= and add_efi_memmap")
}

/// Whether the running kernel runs with 5-level page tables: /proc/cpuinfo hides the flag `la57` otherwise
/// (6.12, arch/x86/kernel/cpu/common.c). Only the first CPU's lines are read.
func runsWithFiveLevelPaging() throws(Failure) -> Bool {
    var result = false
    try readLines("/proc/cpuinfo") { (line) throws(Failure) in
        guard line.utf8.starts(with: "flags".utf8) else { return true }
        result = hasFiveLevelPaging(cpuInfo: line)
        return false
    }
    return result
}

/// Whether the text of /proc/cpuinfo tells of 5-level page tables.
func hasFiveLevelPaging(cpuInfo: String) -> Bool {
    for line in cpuInfo.split(separator: "\n") where line.utf8.starts(with: "flags".utf8) {
        return line.split(separator: " ").contains { $0.utf8.elementsEqual("la57".utf8) }
    }
    return false
}
