// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import Kexec
import Linux
import PhysicalMemory

/// What memory kernel A has, and where it comes from: all of it is saved, or kernel A does not hibernate.
///
/// Kernel C knows the memory that the firmware's map has, and can prove what ACPI describes as a device. Memory that a
/// driver added (virtio-mem, kmem, hv_balloon, Xen) comes back in its driver's own way, and later than kernel C needs it.
struct MemorySurvey: Equatable, Sendable {
    /// All System RAM: whole pages, ascending.
    let memory: [PhysicalRange]
    /// Memory among it that was plugged in and that ACPI describes.
    let hotPlugged: [PhysicalRange]
    /// The firmware's map when this kernel booted.
    let firmwareMap: [FirmwareRange]
    /// The firmware's ranges that are not memory.
    let reserved: [E820Entry]

    /// - Parameters:
    ///   - entries: /proc/iomem.
    ///   - firmwareMap: /sys/firmware/memmap, to which memory that is plugged in is added as well.
    ///   - bootMemory: memory in the map that the boot loader handed over; empty if that is not known.
    ///   - describedByACPI: answers the parts of ranges that lie in memory blocks of ACPI memory devices.
    /// - Throws: naming memory that kernel C would not find.
    init(
        _ entries: [IOMemoryEntry], firmwareMap: [FirmwareRange], bootMemory: [PhysicalRange],
        describedByACPI: ([PhysicalRange]) throws(Failure) -> [PhysicalRange]
    ) throws(Failure) {
        let remedy =
            "take that memory offline and remove it before hibernating, or boot without the driver that adds it"
        let foreign = entries.filter { $0.isDriverMemory }
        if let first = foreign.first {
            throw Failure(
                "hibernate", "",
                "the memory \(first.name) at \(hexadecimal(first.addresses)) was added by a driver, and kernel C cannot "
                    + "give it back (\(describe(bytes: foreign.map { $0.addresses }.normalized().byteCount)) in all)",
                remedy: remedy)
        }
        try MemorySurvey.requireNoMemoryDisk(entries, firmwareMap)
        memory = systemMemory(entries)
        let inMap = firmwareMap.filter { $0.type == "System RAM" }.map { $0.addresses }
        let boot = bootMemory.isEmpty ? inMap : bootMemory.intersection(inMap)
        let added = memory.subtracting(boot)
        hotPlugged = try added.isEmpty ? [] : describedByACPI(added).intersection(added)
        if let first = added.subtracting(hotPlugged).first {
            throw Failure(
                "hibernate", "",
                "the System RAM at \(hexadecimal(first)) is neither in the firmware's memory map nor described by ACPI, and "
                    + "kernel C cannot give it back",
                remedy: remedy + ", and without memmap= and add_efi_memmap")
        }
        self.firmwareMap = firmwareMap.without(hotPlugged)
        reserved = entries.compactMap { entry in
            E820Entry.kind(named: entry.name).map { E820Entry(addresses: entry.addresses, kind: $0) }
        }
    }

    /// Refuses memory that a parameter has made a disk: the power-off empties it, and nobody saves it. Persistent memory of the
    /// firmware's keeps what it has.
    private static func requireNoMemoryDisk(
        _ entries: [IOMemoryEntry], _ firmwareMap: [FirmwareRange]
    ) throws(Failure) {
        let map = firmwareMap.filter { $0.type == "System RAM" }.map { $0.addresses }.normalized()
        for entry in entries {
            let kind = E820Entry.kind(named: entry.name)
            guard kind == .persistentMemory || kind == .legacyPersistentMemory,
                let range = [entry.addresses].intersection(map).first
            else { continue }
            throw Failure(
                "hibernate", "",
                "the memory at \(hexadecimal(range)) is a disk (\(entry.name)) that memmap= has made of RAM, and would not be "
                    + "saved",
                remedy: "boot without memmap=SIZE!ADDRESS")
        }
    }

    /// Refuses if a process uses memory that the firmware has set apart ("Soft Reserved") through /dev/dax: it is RAM all the
    /// same, and nobody saves it.
    /// - Throws: naming the process.
    static func requireNoDirectAccess(_ entries: [IOMemoryEntry], _ system: SystemFolders = SystemFolders())
        throws(Failure)
    {
        let apart = entries.filter { E820Entry.kind(named: $0.name) == .softReserved }.map { $0.addresses }.normalized()
        guard !apart.isEmpty else { return }
        let table = ProcessTable(system.proc)
        var device = ""
        let process = table.holder(isMapped: true) { path in
            guard path.utf8.starts(with: "/dev/dax".utf8) else { return false }
            // One on persistent memory keeps what it has.
            let name = lastComponent(path)
            if let text = try? readText("\(system.sys)/bus/dax/devices/\(name)/resource"),
                let address = parseNumber(trimmed(text)), !apart.contains(where: { $0.contains(address) })
            {
                return false
            }
            device = path
            return true
        }
        guard let process else { return }
        throw Failure(
            "hibernate", "",
            "\(table.describe(process)) uses memory through \(device.utf8.printable) (Soft Reserved), which would not be saved",
            remedy: "end that program")
    }

    /// The running kernel's memory.
    /// - Parameter bootParameters: /sys/kernel/boot_params/data.
    static func now(bootParameters: [UInt8]) throws(Failure) -> MemorySurvey {
        guard let map = try readFirmwareMemoryMap() else {
            throw Failure(
                "read", "/sys/firmware/memmap", "it is not there", remedy: "use a kernel with CONFIG_FIRMWARE_MEMMAP")
        }
        let entries = try readIOMemory()
        try requireNoDirectAccess(entries)
        return try MemorySurvey(
            entries, firmwareMap: map,
            bootMemory: bootMemory(bootParameters, more: readSetupData("/sys/kernel/boot_params/setup_data"))
        ) { (ranges) throws(Failure) in try memoryDescribedByACPI(ranges, "/sys/devices/system/memory") }
    }
}

/// Memory in the map that the boot loader handed over: in boot_params (Documentation/arch/x86/zero-page.rst), and in setup
/// data of type SETUP_E820_EXT. Nothing if there is none.
func bootMemory(_ parameters: [UInt8], more setupData: [[UInt8]]) throws(Failure) -> [PhysicalRange] {
    guard parameters.count == 4096 else { return [] }
    let count = min(128, Int(parameters[0x1e8]))
    var result: [PhysicalRange] = []
    for table in [Array(parameters[0x2d0..<0x2d0 + count * 20])] + setupData {
        let fields = table.span.bytes
        for offset in stride(from: 0, through: table.count - 20, by: 20) {
            let start: UInt64 = try fields.integer(at: offset), size: UInt64 = try fields.integer(at: offset + 8)
            let (end, overflow) = start.addingReportingOverflow(size)
            if !overflow, try fields.integer(at: offset + 16, as: UInt32.self) == E820Entry.Kind.memory.rawValue {
                result.append(start..<end)
            }
        }
    }
    return result.normalized()
}

/// The setup data that go on with the memory map (6.12, arch/x86/kernel/ksysfs.c): folders with `type` and `data`.
func readSetupData(_ folder: String) throws(Failure) -> [[UInt8]] {
    guard exists(folder) else { return [] }
    var result: [[UInt8]] = []
    for name in try listDirectory(folder) where parseNumber(trimmed(try readText("\(folder)/\(name)/type"))) == 1 {
        result.append(try readFile("\(folder)/\(name)/data"))
    }
    return result
}

/// The parts of ranges that lie in memory blocks whose `firmware_node` is a memory device of ACPI, PNP0C80
/// (6.12, drivers/acpi/acpi_memhotplug.c, `acpi_bind_memory_blocks`).
func memoryDescribedByACPI(_ ranges: [PhysicalRange], _ folder: String) throws(Failure) -> [PhysicalRange] {
    guard exists("\(folder)/block_size_bytes"),
        let size = parseHexadecimal(trimmed(try readText("\(folder)/block_size_bytes"))), size >= 1 << 20
    else { return [] }
    var result: [PhysicalRange] = []
    for range in ranges {
        for number in range.lowerBound / size...(range.upperBound - 1) / size {
            guard let device = try? readText("\(folder)/memory\(number)/firmware_node/hid"),
                trimmed(device) == "PNP0C80"
            else { continue }
            let (end, overflow) = (number * size).addingReportingOverflow(size)
            if !overflow { result.append(number * size..<end) }
        }
    }
    return ranges.intersection(result)
}
