import Basics
import Kexec
import Linux
import MemoryImage
import PhysicalMemory

extension Hibernate {
    /// How often kernel B is loaded again because the kernel has moved the report's page meanwhile.
    private static let loadAttempts = 4

    /// - Returns: the page that the report goes to.
    func loadKernelB(_ preparation: Preparation) throws(Failure) -> ReportPage {
        // With the low pages taken, the report's page lies above N as well, where kernel B finds it whatever it has read.
        let lowMemory = LowMemory(below: preparation.backupEnd.end)
        defer { withExtendedLifetime(lowMemory) {} }
        let page = try ReportPage()
        for _ in 0..<Hibernate.loadAttempts {
            let address = try page.physicalAddress()
            let plan = try plan(preparation, reportAddress: address, reportKey: page.key)
            try plan.load(preservesContext: true)
            if try page.physicalAddress() == address { return page }
        }
        unload()
        throw Failure("load", "kernel B", "the kernel keeps moving the page that the report goes to")
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
                    processors: preparation.backupEnd.processors, needsFourLevels: preparation.needsFourLevels),
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
