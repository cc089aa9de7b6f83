import Basics
import Kexec
import Linux
import MemoryImage
import PhysicalMemory

/// What only the running kernel can tell of itself, and what its hibernation through kernel B needs.
struct KernelA {
    /// N: kernels B and C live below this physical address.
    let backupEnd: UInt64
    let description: ImageDescription
    let reservedEntries: [E820Entry]
    let vmcoreInfo: [UInt8]
    let rsdp: UInt64
    let bootParameters: [UInt8]

    /// N is a multiple of this, as the kernel marks memory up to the next such boundary busy (`e820__reserve_resources_late`).
    static let backupAlignment: UInt64 = 64 << 20

    init(
        backupEnd: UInt64, session: UUID, _ catalog: DeviceCatalog, isUnwatchedAllowed: Bool
    ) throws(Failure) {
        let entries = try parseIOMemory(readText("/proc/iomem"))
        let memory = systemMemory(entries)
        try KernelA.check(backupEnd: backupEnd, memory)
        self.backupEnd = backupEnd
        var description = ImageDescription()
        description.session = session
        (description.host, description.kernelRelease) = systemNames()
        description.hasFiveLevelPaging = Hibernation.hasFiveLevelPaging(cpuInfo: try readText("/proc/cpuinfo"))
        description.processorCount = UInt32(clamping: try onlineProcessorCount())
        description.processorFeatures = processorFeatures()
        description.microcodeRevision = microcodeRevision()
        description.acpiChecksum = try acpiTablesChecksum()
        description.watchedAreas = try findWatchedAreas(catalog, isUnwatchedAllowed: isUnwatchedAllowed)
        description.memoryRanges = memory
        description.backupRanges = memory.intersection([0..<backupEnd])
        guard let map = try readFirmwareMemoryMap() else {
            throw Failure(
                "read", "/sys/firmware/memmap", "it is not there", remedy: "use a kernel with CONFIG_FIRMWARE_MEMMAP")
        }
        // Kernel C would refuse.
        try requireMemory(memory, in: map)
        description.firmwareMap = map.map { ImageDescription.FirmwareRange(addresses: $0.addresses, type: $0.type) }
        self.description = description
        reservedEntries = entries.compactMap { entry in
            guard entry.depth == 0, let kind = E820Entry.kind(named: entry.name) else { return nil }
            return E820Entry(addresses: entry.addresses, kind: kind)
        }
        guard let note = try CoreFile("/proc/kcore").note(named: VMCoreInfo.noteName) else {
            throw Failure("read", "/proc/kcore", "it has no VMCOREINFO", remedy: "use a kernel with CONFIG_VMCORE_INFO")
        }
        vmcoreInfo = note
        bootParameters = (try? readFile("/sys/kernel/boot_params/data")) ?? []
        rsdp = KernelA.findRSDP(bootParameters, systab: (try? readText("/sys/firmware/efi/systab")) ?? "")
    }

    static func check(backupEnd: UInt64, _ memory: [AddressRange]) throws(Failure) {
        let name = describe(bytes: backupEnd)
        guard backupEnd > 0, backupEnd % backupAlignment == 0 else {
            throw Failure(
                "use", "\(name) as --backup-end", "it is no multiple of \(describe(bytes: backupAlignment))",
                remedy: "128M is enough for most machines")
        }
        let backup = memory.intersection([0..<backupEnd]).byteCount
        // kexec_load(2) takes at most half of the pages (kernel/kexec_core.c, `sanity_check_segment_list`).
        guard backupEnd <= maximumBackupByteCount, backup < memory.byteCount / 2 else {
            throw Failure(
                "use", "\(name) as --backup-end",
                "the machine has \(describe(bytes: memory.byteCount)), and the backup range may take less than half of it",
                remedy: "use a smaller one, at least 64M")
        }
    }

    /// Physical address of ACPI's root table: where boot_params of this kernel has it, or the firmware's table of
    /// tables; 0 where neither does, and the kernel finds it by itself.
    static func findRSDP(_ bootParameters: [UInt8], systab: String) -> UInt64 {
        if bootParameters.count == 4096,
            let address = try? bootParameters.span.bytes.integer(at: 0x70, as: UInt64.self),
            address != 0
        {
            return address
        }
        for name in ["ACPI20=", "ACPI="] {
            for line in systab.split(separator: "\n") where line.utf8.starts(with: name.utf8) {
                if let address = parseNumber(String(decoding: line.utf8.dropFirst(name.utf8.count), as: UTF8.self)) {
                    return address
                }
            }
        }
        return 0
    }
}
