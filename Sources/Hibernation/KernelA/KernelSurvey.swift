// SPDX-License-Identifier: Apache-2.0
import Basics
import Kexec
import Linux
import MemoryImage
import PhysicalMemory

/// The data on the running kernel that hibernation through kernel B needs.
struct KernelSurvey {
    /// N: kernels B and C live below this physical address. It is 0 until N is chosen.
    private(set) var backupEnd: UInt64 = 0
    private(set) var description: ImageDescription
    /// Kernel A's memory, and the firmware's memory map.
    let memory: MemorySurvey
    /// VMCOREINFO, from /proc/kcore.
    let vmcoreInfo: [UInt8]
    /// Physical address of ACPI's root table (RSDP); 0 if kernel B has to find it.
    let rsdp: UInt64
    /// boot_params, from /sys/kernel/boot_params/data; empty if the kernel does not show them.
    let bootParameters: [UInt8]
    /// Memory that must not be read.
    let unreadable: UnreadableMemory
    /// The disks that kernel A uses and that must not change until the resume.
    let disks: DisksInUse

    /// N is a multiple of this many bytes, because the kernel marks addresses above its memory as busy up to the next such
    /// boundary (6.12, arch/x86/kernel/e820.c, `e820__reserve_resources_late`).
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
        rsdp = findRSDP(bootParameters, systab: (try? readText("/sys/firmware/efi/systab")) ?? "")
        memory = try MemorySurvey.now(bootParameters: bootParameters)

        var description = ImageDescription()
        description.session = session
        (description.host, description.kernelRelease) = systemNames()
        description.machine = try .collect(firmwareMap: memory.firmwareMap, hotPlugged: memory.hotPlugged)
        description.watchedDevices = disks.watched
        description.memoryRanges = memory.memory
        self.description = description
    }

    /// A copy of this survey with N.
    /// - Parameter backupEnd: N, in bytes.
    /// - Throws: if `backupEnd` cannot be N on this machine.
    func with(backupEnd: UInt64) throws(Failure) -> KernelSurvey {
        try KernelSurvey.check(backupEnd: backupEnd, memory.memory)
        var result = self
        result.backupEnd = backupEnd
        result.description.backupRanges = memory.memory.intersection([0..<backupEnd])
        return result
    }

    /// Refuses a system with encrypted memory, which kernel B could not read.
    /// - Parameter cpuFlags: the flags in /proc/cpuinfo.
    static func requirePlainMemory(_ info: VMCoreInfo, cpuFlags: [String]) throws(Failure) {
        let remedy = "boot without mem_encrypt=, or use a machine without confidential computing"
        if let mask = info.number("sme_mask"), mask != 0 {
            throw Failure(
                "hibernate", "", "the memory is encrypted (AMD SME or SEV), so kernel B cannot read it", remedy: remedy)
        }
        if cpuFlags.contains(where: { $0.utf8.elementsEqual("tdx_guest".utf8) }) {
            throw Failure(
                "hibernate", "", "the memory is encrypted (Intel TDX), so kernel B cannot read it", remedy: remedy)
        }
    }

    /// Refuses an N that is not aligned, too large or 0.
    /// - Parameters:
    ///   - backupEnd: N, in bytes.
    ///   - memory: kernel A's.
    static func check(backupEnd: UInt64, _ memory: [PhysicalRange]) throws(Failure) {
        let name = describe(bytes: backupEnd)
        guard backupEnd > 0, backupEnd % backupAlignment == 0 else {
            throw Failure(
                "use", "\(name) as --backup-end", "it is not a multiple of \(describe(bytes: backupAlignment))",
                remedy: "omit --backup-end, or use 128M, which is enough for most machines")
        }
        let backup = memory.intersection([0..<backupEnd]).byteCount
        // kexec_load(2) accepts segments for at most half of all pages (6.12, kernel/kexec_core.c,
        // `sanity_check_segment_list`).
        guard backupEnd <= maximumBackupByteCount, backup < memory.byteCount / 2 else {
            throw Failure(
                "use", "\(name) as --backup-end",
                "the memory below it must be less than half of the machine's \(describe(bytes: memory.byteCount))",
                remedy: "use a smaller value, at least 64M")
        }
    }
}
