// SPDX-License-Identifier: Apache-2.0
import Basics
import Kexec
import Linux
import MemoryImage
import PhysicalMemory

/// Whether the running kernel can put an image back: it must live apart from kernel A's memory, and on the machine that kernel A
/// ran on. Kernel B checks the same before it writes anything: if only kernel C found a reason to refuse, the session would be
/// off already.
struct ResumeChecks {
    private let description: ImageDescription
    private let machine: MachineIdentity

    init(_ description: ImageDescription) {
        self.description = description
        machine = description.machine
    }

    /// Kernel C's checks. The last of them writes to memory of kernel A's that nothing has been put back to yet.
    func performInKernelC() throws(Failure) {
        let entries = try readIOMemory()
        try requireOwnMemoryApart(systemMemory(entries), KernelCommandLine(try readText("/proc/cmdline")))
        guard let map = try readFirmwareMemoryMap() else {
            throw Failure(
                "compare", "the memory map", "/sys/firmware/memmap is not there",
                remedy: "use a kernel with CONFIG_FIRMWARE_MEMMAP")
        }
        try machine.requireFirmwareMap(map)
        // Only memory of this machine is written, whatever the image says.
        try requireMemory(firmwareRanges, in: map)
        try machine.requireProcessors(try PresentProcessors.now())
        try performInBoth()
        try MemoryDevice.prove(machine.hotPluggedRanges, entries)
    }

    /// Kernel B's share of kernel C's checks: kernel C is the same kernel on the same machine.
    func performInKernelB() throws(Failure) {
        try requireMemory(firmwareRanges, in: machine.firmwareMap)
        // Without the firmware's table, this kernel knows no more CPUs than nr_cpus= allows.
        if let processors = try PresentProcessors.inFirmware() { try machine.requireProcessors(processors) }
        try performInBoth()
    }

    /// Kernel A's memory that was there when it booted.
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

    /// The jump into kernel A, with page tables for all of its memory.
    /// - Throws: if the page tables do not fit into the backup ranges.
    func jumpBack(hasGibibytePages: Bool) throws(Failure) -> JumpBack {
        try JumpBack(
            entry: description.jumpBackEntry, mapEnd: description.memoryRanges.last?.upperBound ?? 0,
            room: description.backupRanges, hasGibibytePages: hasGibibytePages)
    }

    /// Kernel B's memory must lie in the backup ranges: everything else is kernel A's, and would be saved after kernel B wrote
    /// to it.
    func checkOwnMemory() throws(Failure) { try requireOwnMemoryInBackup(systemMemory(readIOMemory())) }

    /// - Parameter own: the System RAM of this kernel.
    func requireOwnMemoryInBackup(_ own: [PhysicalRange]) throws(Failure) {
        guard let first = own.subtracting(description.backupRanges).first else { return }
        throw Failure(
            "save", "kernel A's memory", "kernel B itself uses \(hexadecimal(first)), which belongs to kernel A",
            remedy: "use a kernel that knows mem= and acpi_no_memhotplug with --kernel")
    }

    /// Kernel C's own memory must not lie in memory that is put back.
    /// - Parameter own: the System RAM of this kernel.
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

    /// Memory of kernel A's can be mapped: the page just above N, which the kernel may hold as a buffer, and the entry's.
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
                "resume", "kernel A", "its entry 0x\(hexadecimal(entry)) is not in its saved memory",
                isFinal: true)
        }
    }
}
