// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import Kexec
import Linux
import MemoryImage
import PhysicalMemory

extension Hibernate {
    /// The maximum size of the kernel's file and of the initrd's, in bytes.
    private static let fileLimit = 256 << 20

    /// The result of all checks that run before anything is changed.
    struct Preparation {
        /// The hibernation partition's path.
        let path: String
        var partition: Superblock
        let kernel: BzImage
        let initrd: [UInt8]
        let a: KernelSurvey
        /// N, and the number of CPUs that kernels B and C start.
        let backupEnd: BackupEnd
        /// Whether kernels B and C need `no5lvl` to run with 4-level page tables, as kernel A does.
        let needsFourLevels: Bool

        /// Whether kernel B is the kernel that runs now.
        var isOwnKernel: Bool { isRunning(kernel) }
    }

    /// The hibernation partition, and the devices among which it was found.
    struct FoundPartition {
        let catalog: DeviceCatalog
        let path: String
        let superblock: Superblock
    }

    /// The contents of rootfs.gz.
    struct ReadInitrd {
        let bytes: [UInt8]
        let modules: ModuleList
    }

    /// Makes all checks that come before the jump and change nothing.
    func prepare(_ findings: inout Findings) throws(Failure) -> Preparation {
        try untilFailure(&findings) { list in prepare(&list) }
    }

    /// - Returns: nil if a requirement is missing.
    func prepare(_ list: inout Checklist) -> Preparation? {
        let partition = list.check("hibernation partition", findPartition)
        list.check("memory limit of this process") { (_) throws(Failure) in
            try requireMemoryForLoading(controlGroupLimit(), processMemoryLimits())
            return "kernel B can be loaded"
        }
        let kernel = list.check("kernel B", readKernel)
        let initrd = list.check("rootfs.gz", kernel, needs: "kernel B", readInitrd)
        list.check("early microcode and ACPI tables", initrd, needs: "rootfs.gz", checkEarlyLoads)
        list.check("configuration of kernel B", kernel, needs: "kernel B", checkConfiguration)
        var known: (FoundPartition, BzImage, ReadInitrd)?
        if let partition, let kernel, let initrd { known = (partition, kernel, initrd) }
        let disks = list.check("disks in use", known, needs: "the checks above", findDisks)
        let survey = list.check("memory", disks, needs: "the checks above", surveyMemory)
        var subject: (kernel: BzImage, survey: KernelSurvey)?
        if let kernel, let survey { subject = (kernel, survey) }
        list.check("page tables", subject, needs: "the checks above", checkPageTables)
        list.check("command line") { (findings) throws(Failure) in
            warnOfNoResume(try KernelCommandLine(readText("/proc/cmdline")), &findings)
            return "the running kernel's does not forbid a resume"
        }
        list.check("watchdogs", initrd, needs: "rootfs.gz") { (initrd, findings) throws(Failure) in
            let watchdogs = WatchdogSurvey()
            try watchdogs.check(
                isOwnKernel: kernel.map { isRunning($0) } ?? false, modules: initrd.modules, &findings)
            return watchdogs.armed.isEmpty
                ? "none is armed" : "\(watchdogs.armed.count) armed; kernel B has the drivers"
        }
        var all: (FoundPartition, BzImage, ReadInitrd, KernelSurvey)?
        if let partition, let kernel, let initrd, let survey { all = (partition, kernel, initrd, survey) }
        return list.check("memory for kernels B and C", all, needs: "the checks above") { (all, _) throws(Failure) in
            let (partition, kernel, initrd, survey) = all
            let preparation = try choosingBackupEnd(
                partition.path, partition.superblock, kernel, initrd.bytes, survey)
            let processors = preparation.backupEnd.processors.map { ", with \($0) CPUs" } ?? ""
            return (preparation, "below \(describe(bytes: preparation.backupEnd.end))\(processors)")
        }
    }

    private func findPartition(_ findings: inout Findings) throws(Failure) -> (FoundPartition, String) {
        let catalog = try DeviceCatalog.ofHibernationPartitions()
        let path = try findHibernationPartition(device, seconds: 0, catalog, naming: "--device")
        let superblock = try checkPartition(path)
        return (
            FoundPartition(catalog: catalog, path: path, superblock: superblock),
            "\(path), with \(describe(bytes: superblock.dataArea.byteCount)) for an image"
        )
    }

    private func readKernel(_ findings: inout Findings) throws(Failure) -> (BzImage, String) {
        let kernel = try BzImage(try readNamed(kernelPath, "kernel", "--kernel"), path: kernelPath)
        return (kernel, "\(kernelPath.utf8.printable), Linux \(kernel.release.utf8.printable)")
    }

    private func readInitrd(_ kernel: BzImage, _ findings: inout Findings) throws(Failure) -> (ReadInitrd, String) {
        let bytes = try readNamed(initrdPath, "initrd", "--initrd")
        try RootfsMarker.require(bytes, path: initrdPath)
        let modules = try EarlyInitrd(bytes).modules(path: initrdPath)
        try modules.require(kernel: kernel.release, path: initrdPath)
        let count = modules.modules.count
        return (
            ReadInitrd(bytes: bytes, modules: modules),
            "\(initrdPath.utf8.printable), with \(count == 0 ? "no" : "\(count)") modules"
        )
    }

    private func checkEarlyLoads(_ initrd: ReadInitrd, _ findings: inout Findings) throws(Failure) -> String {
        findEarlyLoads(
            EarlyInitrd(initrd.bytes), (try? KernelMessages.read()) ?? KernelMessages(),
            taint: (try? readText("/proc/sys/kernel/tainted")).flatMap { parseNumber(trimmed($0)) } ?? 0,
            maker: .ofThisMachine(), &findings)
        return "kernel B gets what the running kernel loads early"
    }

    private func checkConfiguration(_ kernel: BzImage, _ findings: inout Findings) throws(Failure) -> String {
        if let configuration = KernelConfiguration(release: kernel.release, kernelPath: kernelPath) {
            try configuration.require(kernelPath: kernelPath)
            return "\(configuration.path.utf8.printable) has all options"
        }
        if !isRunning(kernel) {
            findings.warn(
                "cannot check whether \(kernelPath.utf8.printable) can jump back: its configuration file is not beside it, in "
                    + "/boot or in /lib/modules",
                remedy:
                    "make sure that it has CONFIG_KEXEC_JUMP, CONFIG_CRASH_DUMP, CONFIG_PROC_VMCORE and CONFIG_DEVMEM")
        }
        return "it is the running kernel"
    }

    private func findDisks(
        _ known: (FoundPartition, BzImage, ReadInitrd), _ findings: inout Findings
    ) throws(Failure) -> (DisksInUse, String) {
        let (partition, kernel, initrd) = known
        let builtIn = builtIn(kernel)
        let disks = try DisksInUse(
            partition.catalog, partition: partition.path, builtIn, modules: initrd.modules,
            isUnwatchedAllowed: isUnwatchedAllowed, &findings)
        if builtIn == .unknown {
            findings.warn(
                "cannot check whether \(kernelPath.utf8.printable) has the drivers of the disks in use: there is neither "
                    + "builtin-\(kernel.release.utf8.printable) beside it nor modules.builtin of its modules",
                remedy: "make sure that they are built in, or among the modules of rootfs.gz")
        }
        let count = disks.watched.count
        return (disks, "\(count) device\(count == 1 ? "" : "s"), which kernel B has and kernel C compares")
    }

    private func builtIn(_ kernel: BzImage) -> KernelBDevices.BuiltIn {
        if isRunning(kernel) { return .asRunning }
        return BuiltInModules(release: kernel.release, kernelPath: kernelPath)
            .map { .listed($0, kernelPath: kernelPath) } ?? .unknown
    }

    private func surveyMemory(
        _ disks: DisksInUse, _ findings: inout Findings
    ) throws(Failure) -> (KernelSurvey, String) {
        guard let session = UUID(random: try randomBytes(16)) else {
            throw Failure("make", "a UUID", "too few random bytes")
        }
        let survey = try KernelSurvey(session: session, disks)
        return (survey, "\(describe(bytes: survey.memory.memory.byteCount)), which kernel B can read")
    }

    private func checkPageTables(
        _ subject: (kernel: BzImage, survey: KernelSurvey), _ findings: inout Findings
    ) throws(Failure) -> String {
        let hasFiveLevels = subject.survey.description.machine.hasFiveLevelPaging
        try subject.kernel.requirePageTables(hasFiveLevels: hasFiveLevels, path: kernelPath)
        try requireJumpBack(KernelCommandLine(extraWords), hasFiveLevels: hasFiveLevels)
        return "\(hasFiveLevels ? 5 : 4) levels in kernels A, B and C"
    }

    /// The superblock of a partition.
    /// - Throws: if no image may be written to the partition, or if it is too small.
    private func checkPartition(_ path: String) throws(Failure) -> Superblock {
        guard try isBlockDevice(path) else {
            throw Failure("use", path, "it is not a block device", remedy: "name a hibernation partition with --device")
        }
        let partition: HibernationPartition
        do throws(Failure) {
            partition = try HibernationPartition(path, .exclusive)
        } catch {
            if error.errno == ErrorNumber.busy {
                throw Failure("use", path, holder(of: path), remedy: "use a partition that nothing else uses")
            }
            throw error
        }
        try requireNoPendingImage(partition.superblock, path)
        try checkSize(partition.superblock, path)
        return partition.superblock
    }

    /// Refuses a partition that is smaller than a tenth of the used memory, or than half of it without compression. If a larger
    /// partition turns out too small, saving fails, and kernel B jumps back.
    private func checkSize(_ superblock: Superblock, _ path: String) throws(Failure) {
        let total = try memoryInformation("MemTotal"), free = try memoryInformation("MemFree")
        let used = total > free ? total - free : 0
        let needed = codec == .none ? used / 2 : used / 10
        if superblock.dataArea.byteCount < needed {
            throw Failure(
                "use", path,
                "it is too small: it has \(describe(bytes: superblock.dataArea.byteCount)) for an image, and "
                    + "\(describe(bytes: used)) of memory are in use",
                remedy: "use a larger partition")
        }
    }

    /// Bytes of memory that loading takes: kernel and initrd as read from their files, once more for kexec_load(2), and 8 MiB.
    static func loadByteCount(_ kernel: Int, _ initrd: Int) -> UInt64 {
        2 * UInt64(min(max(0, kernel), fileLimit) + min(max(0, initrd), fileLimit)) + 8 << 20
    }

    /// Refuses if a memory limit of this process is too low for loading. At the limit of a control group the kernel would kill
    /// this process, and no message would say why.
    func requireMemoryForLoading(_ group: MemoryLimit?, _ own: [MemoryLimit]) throws(Failure) {
        let sizes = [kernelPath, initrdPath].map { Int(clamping: fileByteCount($0) ?? 0) }
        let needed = Hibernate.loadByteCount(sizes[0], sizes[1])
        for limit in own + (group.map { [$0] } ?? []) where limit.bytes < needed {
            throw Failure(
                "load", "kernel B",
                "reading kernel and initrd needs \(describe(bytes: needed)) of memory, but \(limit.name) leaves "
                    + describe(bytes: limit.bytes), remedy: limit.remedy)
        }
    }

    /// - Parameters:
    ///   - name: the file's role, for the message: `kernel`.
    ///   - option: the option that names the file.
    private func readNamed(_ path: String, _ name: String, _ option: String) throws(Failure) -> [UInt8] {
        do throws(Failure) { return try readFile(path, limit: Hibernate.fileLimit) } catch {
            throw Failure("load \(name)", path, error.reason, remedy: "name another file with \(option)")
        }
    }
}

/// Whether a kernel is the one that runs now.
private func isRunning(_ kernel: BzImage) -> Bool { kernel.release.utf8.elementsEqual(systemNames().release.utf8) }
