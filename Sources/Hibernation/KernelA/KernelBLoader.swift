// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import ELF
import Kexec
import Linux
import MemoryImage
import PhysicalMemory

extension Hibernate {
    /// Prepares and loads kernel B. It replaces a kernel B that was loaded before. The memory with the contents of kernel and
    /// initrd is free when this returns, so kernel B does not save it.
    /// - Returns: the hibernation partition's path, the report page with a new key, the disks in use, and the parameters that
    ///   kernel C needs.
    func loadKernelB(_ findings: inout Findings) throws(Failure) -> (String, ReportPage, DisksInUse, [String]) {
        var preparation = try prepare(&findings)
        if isRehearsal {
            try checkBootFiles(preparation, &findings)
        } else {
            preparation.partition = try storeBootFiles(preparation, &findings)
        }
        // While the low pages are reserved, the report page gets a page frame above N. There kernel B finds it even without the
        // backup page map.
        let lowMemory = LowMemoryReservation(
            below: preparation.backupEnd.end,
            sparing: Hibernate.loadByteCount(preparation.kernel.bytes.count, preparation.initrd.count))
        defer { withExtendedLifetime(lowMemory) {} }
        let page = try ReportPage()
        let plan = try plan(preparation, reportAddress: page.address, reportKey: page.key)
        warnOfLargeMemoryMap(plan, &findings)
        makeMemoryRoom(byteCount: plan.byteCount)
        try plan.load(preservesContext: true)
        return (preparation.path, page, preparation.a.disks, try parametersForC(preparation))
    }

    /// Plans the load of kernel B.
    /// - Parameters:
    ///   - reportAddress: the report page's physical address.
    ///   - reportKey: the first bytes of that page.
    func plan(_ preparation: Preparation, reportAddress: UInt64, reportKey: [UInt8]) throws(Failure) -> LoadPlan {
        let a = preparation.a
        var description = a.description
        description.reportAddress = reportAddress
        description.reportKey = reportKey
        description.partitionUUID = preparation.partition.uuid
        description.partitionGeneration = preparation.partition.generation
        let vmcoreInfo = CoreNote(name: VMCoreInfo.noteName, content: a.vmcoreInfo)
        return try LoadPlan(
            KexecPayload(
                kernel: preparation.kernel, initrd: preparation.initrd,
                commandLine: KernelBCommandLine(
                    device: .uuid(preparation.partition.uuid.description), session: description.session,
                    report: Report.Place(address: reportAddress, key: reportKey), after: after, codec: codec,
                    isRehearsal: isRehearsal, watchdogs: WatchdogSurvey().handovers,
                    backupEnd: preparation.backupEnd.end,
                    processors: preparation.backupEnd.processors, needsFourLevels: preparation.needsFourLevels,
                    own: KernelCommandLine(try readText("/proc/cmdline")),
                    memoryParameters: MemoryTakers.parametersForB, additional: extraWords
                ).text,
                backupRanges: description.backupRanges,
                savedRanges: description.savedRanges,
                reservedEntries: a.memory.reserved,
                notes: [vmcoreInfo, try SessionNote.write(description, beside: a.vmcoreInfo.count)], rsdp: a.rsdp,
                ownBootParameters: a.bootParameters))
    }

    /// Unloads kernel B. After a jump the loaded image's entry is stale, so nobody must jump into it again.
    /// - Parameter findings: gets a warning if the kernel refuses to unload: a restart would jump to the stale entry.
    func unload(_ findings: inout Findings) {
        // Free the pages on other CPUs than CPU 0, so that the next hibernation does not save them (see `run`).
        let affinity = ProcessorAffinity()
        affinity.moveToOthers()
        do throws(Failure) { try loadKexecImage(entry: 0, [], preservesContext: false) } catch {
            findings.warn(
                "kernel B could not be unloaded (\(error)), and a restart would jump into it",
                remedy: "power the machine off instead of restarting it")
        }
        affinity.restore()
    }

    /// Warns if the memory map has more entries than a kernel without CONFIG_NUMA reads (6.12,
    /// arch/x86/include/asm/e820/types.h, E820_MAX_ENTRIES). Memory and ACPI's ranges come first in the map.
    func warnOfLargeMemoryMap(_ plan: LoadPlan, _ findings: inout Findings) {
        guard plan.memoryMapCount > LoadPlan.plainMemoryMapCount else { return }
        findings.warn(
            "the memory map has \(plan.memoryMapCount) ranges, but a kernel without CONFIG_NUMA reads only the first "
                + "\(LoadPlan.plainMemoryMapCount) and may give devices addresses that the firmware uses",
            remedy: "use a kernel with CONFIG_NUMA")
    }
}
