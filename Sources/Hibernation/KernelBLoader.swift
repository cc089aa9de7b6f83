import Basics
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
        let lowMemory = LowMemory(
            below: preparation.backupEnd.end,
            sparing: Hibernate.loadByteCount(preparation.kernel.bytes.count, preparation.initrd.count))
        defer { withExtendedLifetime(lowMemory) {} }
        let page = try ReportPage()
        try plan(preparation, reportAddress: page.address, reportKey: page.key).load(preservesContext: true)
        return (preparation.path, page, preparation.a.disks)
    }

    func plan(_ preparation: Preparation, reportAddress: UInt64, reportKey: [UInt8]) throws(Failure) -> LoadPlan {
        let a = preparation.a
        var description = a.description
        description.reportAddress = reportAddress
        description.reportKey = reportKey
        description.partitionUUID = preparation.partition.uuid
        description.partitionGeneration = preparation.partition.generation
        return try LoadPlan(
            KernelB(
                kernel: preparation.kernel, initrd: preparation.initrd,
                commandLine: kernelBParameters(
                    KernelCommandLine(try readText("/proc/cmdline")),
                    .uuid(preparation.partition.uuid.description), description.session,
                    Report.Place(address: reportAddress, key: reportKey), backupEnd: preparation.backupEnd.end,
                    processors: preparation.backupEnd.processors, needsFourLevels: preparation.needsFourLevels,
                    watchdogs: WatchdogSurvey().parameter),
                backupRanges: description.backupRanges,
                savedRanges: description.savedRanges,
                reservedEntries: a.memory.reserved,
                notes: [
                    CoreNote(name: VMCoreInfo.noteName, content: a.vmcoreInfo),
                    CoreNote(name: sessionNoteName, content: description.encoded()),
                ], rsdp: a.rsdp, ownBootParameters: a.bootParameters))
    }

    /// The entry that kernel A's image keeps is stale after a jump, so it must not be jumped to again.
    func unload() {
        // The next session leaves out what is given back here, too.
        let affinity = ProcessorAffinity()
        affinity.moveToOthers()
        try? loadKexecImage(entry: 0, [], preservesContext: false)
        affinity.restore()
    }
}
