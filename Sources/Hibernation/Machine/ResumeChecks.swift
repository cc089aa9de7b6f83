// SPDX-License-Identifier: Apache-2.0
import Basics
import Kexec
import Linux
import MemoryImage
import PhysicalMemory

/// Checks whether the running kernel can restore an image: its own memory must be apart from kernel A's, and the machine must
/// be the one that kernel A ran on. Kernel B checks the same before it writes anything, while kernel A can still continue; when
/// kernel C finds a reason to refuse, the machine has been off.
struct ResumeChecks {
    private let description: ImageDescription
    private let machine: MachineIdentity

    init(_ description: ImageDescription) {
        self.description = description
        machine = description.machine
    }

    /// Kernel C's checks. The last one writes to kernel A's memory, to which nothing has been restored yet.
    func performInKernelC() throws(Failure) {
        let entries = try readIOMemory()
        try requireOwnMemoryApart(systemMemory(entries), KernelCommandLine(try readText("/proc/cmdline")))
        let map = try requireFirmwareMemoryMap()
        try machine.requireFirmwareMap(map)
        // Kernel C must write only to RAM of this machine, even if the image lists other addresses.
        try requireMemory(firmwareRanges, in: map)
        try machine.requireProcessors(try PresentProcessors.now())
        try performInBoth()
        try MemoryDevice.prove(machine.hotPluggedRanges, entries)
    }

    /// The checks of kernel C that an ordinary start can make before it starts kernel C: a refusal then costs no kernel boot.
    /// - Parameter map: the firmware's memory map.
    func performInInitramfs(_ map: [FirmwareRange]) throws(Failure) {
        try machine.requireFirmwareMap(map)
        try requireMemory(firmwareRanges, in: map)
        try machine.requireProcessors(try PresentProcessors.now())
        try requireEntryInSavedMemory()
        try machine.requireFeatures(processorFeatures(), microcode: microcodeRevision())
        try machine.requireACPITables(try acpiTablesChecksum())
    }

    /// The checks of kernel C that kernel B can make, because kernel C is the same kernel on the same machine.
    func performInKernelB() throws(Failure) {
        try requireMemory(firmwareRanges, in: machine.firmwareMap)
        // Without the firmware's table, this kernel sees only as many CPUs as nr_cpus= allows.
        if let processors = try PresentProcessors.inFirmware() { try machine.requireProcessors(processors) }
        try performInBoth()
    }

    /// Kernel A's memory that existed when it booted.
    private var firmwareRanges: [PhysicalRange] {
        (description.memoryRanges + description.backupRanges).subtracting(machine.hotPluggedRanges)
    }

    private func performInBoth() throws(Failure) {
        try requireEntryInSavedMemory()
        try machine.requirePageTables(hasFiveLevels: try runsWithFiveLevelPaging())
        try machine.requireFeatures(processorFeatures(), microcode: microcodeRevision())
        try machine.requireACPITables(try acpiTablesChecksum())
        _ = try jumpBack(hasGibibytePages: hasGibibytePages())
        try requireMemoryDevice()
    }

    /// Makes the jump into kernel A, with page tables for all of its memory.
    /// - Parameter hasGibibytePages: whether the processor supports pages of 1 GiB.
    /// - Throws: if the page tables do not fit into the backup ranges.
    func jumpBack(hasGibibytePages: Bool) throws(Failure) -> JumpBack {
        try JumpBack(
            entry: description.jumpBackEntry, mapEnd: description.memoryRanges.last?.upperBound ?? 0,
            available: description.backupRanges, hasGibibytePages: hasGibibytePages)
    }

    /// Kernel B's memory must lie in the backup ranges: all other memory is kernel A's, and would be saved after kernel B had
    /// overwritten it.
    func checkOwnMemory() throws(Failure) { try requireOwnMemoryInBackup(systemMemory(readIOMemory())) }

    /// - Parameter own: the running kernel's System RAM, as physical addresses.
    func requireOwnMemoryInBackup(_ own: [PhysicalRange]) throws(Failure) {
        guard let first = own.subtracting(description.backupRanges).first else { return }
        throw Failure(
            "save", "kernel A's memory", "kernel B itself uses \(hexadecimal(first)), which belongs to kernel A",
            remedy: "choose with --kernel a kernel that supports mem= and acpi_no_memhotplug")
    }

    /// Kernel C's own memory must not lie in memory that will be restored.
    /// - Parameter own: the running kernel's System RAM, as physical addresses.
    func requireOwnMemoryApart(_ own: [PhysicalRange], _ commandLine: KernelCommandLine) throws(Failure) {
        guard let first = own.intersection(description.savedRanges).first else { return }
        let end = description.backupRanges.last?.upperBound ?? 0
        let limit = commandLine.value("mem").flatMap { parseSize($0) }
        let remedy =
            if let limit, limit <= end {
                "mem= is set already; boot with acpi_no_memhotplug too, and without memmap="
            } else {
                "boot with mem=\(end >> 20)M"
            }
        throw Failure(
            "restore", "kernel A's memory", "kernel C itself uses \(hexadecimal(first))", remedy: remedy)
    }

    /// /dev/mem must map kernel A's memory. Tries the first page above N, which the kernel may reserve as a buffer, and the
    /// entry's page.
    private func requireMemoryDevice() throws(Failure) {
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

    private func requireEntryInSavedMemory() throws(Failure) {
        let saved = description.savedRanges
        let entry = description.jumpBackEntry
        guard saved.contains(where: { $0.contains(entry) }) else {
            throw Failure(
                "resume", "kernel A", "its jump-back entry 0x\(hexadecimal(entry)) is not in its saved memory",
                isFinal: true)
        }
    }
}

/// The firmware's memory map, ascending.
/// - Throws: if the running kernel does not show it.
func requireFirmwareMemoryMap() throws(Failure) -> [FirmwareRange] {
    if let map = try readFirmwareMemoryMap() { return map }
    throw Failure(
        "compare", "the memory map", "/sys/firmware/memmap does not exist",
        remedy: "use a kernel with CONFIG_FIRMWARE_MEMMAP")
}
