// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import Kexec
import Linux
import PhysicalMemory

/// Kernel A's memory and its origin. Kernel A saves all of its memory or does not hibernate.
///
/// Kernel C has the memory in the firmware's map, and can prove that memory is there which ACPI describes as a device. It
/// cannot restore memory that a driver added (virtio-mem, kmem, hv_balloon, Xen): only the driver brings that back, and too
/// late.
struct MemorySurvey: Equatable, Sendable {
    /// All System RAM: half-open ranges of whole pages, ascending.
    let memory: [PhysicalRange]
    /// The part of `memory` that was plugged in and that ACPI describes.
    let hotPlugged: [PhysicalRange]
    /// The firmware's memory map when this kernel booted.
    let firmwareMap: [FirmwareRange]
    /// The ranges in the firmware's map that are not memory.
    let reserved: [E820Entry]

    /// - Parameters:
    ///   - entries: /proc/iomem.
    ///   - firmwareMap: /sys/firmware/memmap. The kernel adds plugged memory to it.
    ///   - bootMemory: memory in the boot loader's map; empty if that map is unknown.
    ///   - describedByACPI: returns the parts of ranges that are in memory blocks of ACPI memory devices.
    /// - Throws: if there is memory that kernel C could not restore. The failure names it.
    init(
        _ entries: [IOMemoryEntry], firmwareMap: [FirmwareRange], bootMemory: [PhysicalRange],
        describedByACPI: ([PhysicalRange]) throws(Failure) -> [PhysicalRange]
    ) throws(Failure) {
        let remedy =
            "take that memory offline and remove it before hibernating, or boot without the driver that adds it"
        let added = entries.filter { $0.isDriverMemory }
        if let first = added.first {
            throw Failure(
                "hibernate", "",
                "the memory \(first.name) at \(hexadecimal(first.addresses)) was added by a driver, and kernel C cannot "
                    + "restore it (\(describe(bytes: added.map { $0.addresses }.normalized().byteCount)) in all)",
                remedy: remedy)
        }
        try MemorySurvey.requireNoMemoryDisk(entries, firmwareMap)
        memory = systemMemory(entries)
        let inMap = firmwareMap.filter { $0.type == "System RAM" }.map { $0.addresses }
        let boot = bootMemory.isEmpty ? inMap : bootMemory.intersection(inMap)
        let later = memory.subtracting(boot)
        hotPlugged = try later.isEmpty ? [] : describedByACPI(later).intersection(later)
        if let first = later.subtracting(hotPlugged).first {
            throw Failure(
                "hibernate", "",
                "the System RAM at \(hexadecimal(first)) is neither in the firmware's memory map nor described by ACPI, and "
                    + "kernel C cannot restore it",
                remedy: remedy + ", and without memmap= and add_efi_memmap")
        }
        self.firmwareMap = firmwareMap.without(hotPlugged)
        reserved = entries.compactMap { entry in
            E820Entry.kind(named: entry.name).map { E820Entry(addresses: entry.addresses, kind: $0) }
        }
    }

    /// Refuses RAM that `memmap=` has turned into a disk: its contents are not saved and do not survive the power-off.
    /// Persistent memory in the firmware's map keeps its contents.
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
                "the memory at \(hexadecimal(range)) is a disk (\(entry.name)) that memmap= has made from RAM, and it would "
                    + "not be saved",
                remedy: "boot without memmap=SIZE!ADDRESS")
        }
    }

    /// Refuses if a process uses "Soft Reserved" memory of the firmware through /dev/dax: this is RAM that is not saved.
    /// - Throws: a failure that names the process.
    static func requireNoDirectAccess(_ entries: [IOMemoryEntry], _ system: SystemFolders = SystemFolders())
        throws(Failure)
    {
        let softReserved = entries.filter { E820Entry.kind(named: $0.name) == .softReserved }.map { $0.addresses }
            .normalized()
        guard !softReserved.isEmpty else { return }
        let table = ProcessTable(system.proc)
        var device = ""
        let process = table.holder(isMapped: true) { path in
            guard path.utf8.starts(with: "/dev/dax".utf8) else { return false }
            // A device on persistent memory keeps its contents.
            let name = lastComponent(path)
            if let text = try? readText("\(system.sys)/bus/dax/devices/\(name)/resource"),
                let address = parseNumber(trimmed(text)), !softReserved.contains(where: { $0.contains(address) })
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

    /// Surveys the running kernel's memory.
    /// - Parameter bootParameters: /sys/kernel/boot_params/data.
    static func now(bootParameters: [UInt8]) throws(Failure) -> MemorySurvey {
        guard let map = try readFirmwareMemoryMap() else {
            throw Failure(
                "read", "/sys/firmware/memmap", "it does not exist", remedy: "use a kernel with CONFIG_FIRMWARE_MEMMAP")
        }
        let entries = try readIOMemory()
        try requireNoDirectAccess(entries)
        return try MemorySurvey(
            entries, firmwareMap: map,
            bootMemory: bootMemory(bootParameters, more: readSetupData("/sys/kernel/boot_params/setup_data"))
        ) { (ranges) throws(Failure) in try memoryDescribedByACPI(ranges, "/sys/devices/system/memory") }
    }
}

/// The memory in the boot loader's map: in boot_params (Documentation/arch/x86/zero-page.rst) and in setup data of type
/// SETUP_E820_EXT. It is empty if there is no such map.
/// - Parameters:
///   - parameters: boot_params.
///   - setupData: the contents of each setup data of that type.
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

/// The setup data that continue the memory map (6.12, arch/x86/kernel/ksysfs.c).
/// - Parameter folder: /sys/kernel/boot_params/setup_data, with a folder for each that has the files `type` and `data`.
func readSetupData(_ folder: String) throws(Failure) -> [[UInt8]] {
    guard exists(folder) else { return [] }
    var result: [[UInt8]] = []
    for name in try listDirectory(folder) where parseNumber(trimmed(try readText("\(folder)/\(name)/type"))) == 1 {
        result.append(try readFile("\(folder)/\(name)/data"))
    }
    return result
}

/// The parts of ranges that are in memory blocks of ACPI memory devices: their `firmware_node` is PNP0C80
/// (6.12, drivers/acpi/acpi_memhotplug.c, `acpi_bind_memory_blocks`).
/// - Parameter folder: /sys/devices/system/memory.
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
