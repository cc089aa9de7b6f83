// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import ELF
import Kexec
import Linux
import MemoryImage
import PhysicalMemory

extension Hibernate {
    /// Prepares and loads kernel B, in place of one that was loaded before. What was read of kernel and initrd is given back with
    /// this, so that it is not saved.
    /// - Returns: the partition's path, the page that takes the report, with a key of its own, and what is on disks.
    func loadKernelB(_ findings: inout Findings) throws(Failure) -> (String, ReportPage, DisksInUse) {
        let preparation = try prepare(&findings)
        // With the low pages taken, the report's page lies above N as well, where kernel B finds it whatever it has read.
        let lowMemory = LowMemoryReservation(
            below: preparation.backupEnd.end,
            sparing: Hibernate.loadByteCount(preparation.kernel.bytes.count, preparation.initrd.count))
        defer { withExtendedLifetime(lowMemory) {} }
        let page = try ReportPage()
        let plan = try plan(preparation, reportAddress: page.address, reportKey: page.key)
        noteMemoryMap(plan, &findings)
        try plan.load(preservesContext: true)
        return (preparation.path, page, preparation.a.disks)
    }

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
                    watchdogs: WatchdogSurvey().handovers, backupEnd: preparation.backupEnd.end,
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

    /// The entry that kernel A's image keeps is stale after a jump, so it must not be jumped to again.
    /// - Parameter findings: gets a warning if the kernel refuses: a restart would lead to that entry.
    func unload(_ findings: inout Findings) {
        // The next session leaves out what is given back here, too.
        let affinity = ProcessorAffinity()
        affinity.moveToOthers()
        do throws(Failure) { try loadKexecImage(entry: 0, [], preservesContext: false) } catch {
            findings.warn(
                "kernel B is still loaded, and an init would restart into it (\(error))",
                remedy: "switch the machine off instead of restarting it")
        }
        affinity.restore()
    }

    /// Warns of a memory map that a kernel without NUMA does not take as a whole (6.12, arch/x86/include/asm/e820/types.h,
    /// E820_MAX_ENTRIES). Memory and ACPI's ranges come first in it.
    func noteMemoryMap(_ plan: LoadPlan, _ findings: inout Findings) {
        guard plan.memoryMapCount > LoadPlan.plainMemoryMapCount else { return }
        findings.warn(
            "the memory map has \(plan.memoryMapCount) ranges, and a kernel without CONFIG_NUMA takes the first "
                + "\(LoadPlan.plainMemoryMapCount): it may put devices where the firmware has something",
            remedy: "use a kernel with CONFIG_NUMA")
    }
}
