// SPDX-License-Identifier: Apache-2.0
import Basics
import Kexec
import Linux
import MemoryImage
import PhysicalMemory

/// What only the running kernel can tell of itself, and what its hibernation through kernel B needs.
struct KernelSurvey {
    /// N: kernels B and C live below this physical address. 0 until it is chosen.
    private(set) var backupEnd: UInt64 = 0
    private(set) var description: ImageDescription
    /// Memory and what is none, as the firmware has it.
    let memory: MemorySurvey
    let vmcoreInfo: [UInt8]
    let rsdp: UInt64
    let bootParameters: [UInt8]
    /// Memory that must not be read.
    let unreadable: UnreadableMemory
    /// What is on disks, and has to be there again.
    let disks: DisksInUse

    /// N is a multiple of this, as the kernel marks memory up to the next such boundary busy (`e820__reserve_resources_late`).
    static let backupAlignment: UInt64 = 64 << 20

    init(session: UUID, _ disks: DisksInUse) throws(Failure) {
        self.disks = disks
        guard let note = try CoreFile("/proc/kcore").note(named: VMCoreInfo.noteName) else {
            throw Failure("read", "/proc/kcore", "it has no VMCOREINFO", remedy: "use a kernel with CONFIG_VMCORE_INFO")
        }
        vmcoreInfo = note
        let info = VMCoreInfo(note)
        try KernelSurvey.requirePlainMemory(info, cpuFlags: try processorFlags())
        unreadable = try UnreadableMemory.now()
        try unreadable.requireMarks(info)
        bootParameters = (try? readFile("/sys/kernel/boot_params/data")) ?? []
        rsdp = KernelSurvey.findRSDP(bootParameters, systab: (try? readText("/sys/firmware/efi/systab")) ?? "")
        memory = try MemorySurvey.now(bootParameters: bootParameters)

        var description = ImageDescription()
        description.session = session
        (description.host, description.kernelRelease) = systemNames()
        description.machine = try .collect(firmwareMap: memory.firmwareMap, hotPlugged: memory.hotPlugged)
        description.watchedDevices = disks.watched
        description.memoryRanges = memory.memory
        self.description = description
    }

    /// The same with N.
    /// - Throws: if no N is there, or some page below it must not be read.
    func with(backupEnd: UInt64) throws(Failure) -> KernelSurvey {
        try KernelSurvey.check(backupEnd: backupEnd, memory.memory)
        var result = self
        result.backupEnd = backupEnd
        result.description.backupRanges = memory.memory.intersection([0..<backupEnd])
        return result
    }

    /// Refuses a system whose memory nobody but its own kernel can read.
    /// - Parameter cpuFlags: the flags in /proc/cpuinfo.
    static func requirePlainMemory(_ info: VMCoreInfo, cpuFlags: [String]) throws(Failure) {
        let remedy = "boot without mem_encrypt=, or use a machine without confidential computing"
        if let mask = info.number("sme_mask"), mask != 0 {
            throw Failure("hibernate", "", "the memory is encrypted (AMD SME or SEV)", remedy: remedy)
        }
        if cpuFlags.contains(where: { $0.utf8.elementsEqual("tdx_guest".utf8) }) {
            throw Failure("hibernate", "", "the memory is encrypted (Intel TDX)", remedy: remedy)
        }
    }

    static func check(backupEnd: UInt64, _ memory: [PhysicalRange]) throws(Failure) {
        let name = describe(bytes: backupEnd)
        guard backupEnd > 0, backupEnd % backupAlignment == 0 else {
            throw Failure(
                "use", "\(name) as --backup-end", "it is no multiple of \(describe(bytes: backupAlignment))",
                remedy: "leave it out, or use 128M, which is enough for most machines")
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
