// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import Kexec
import Linux
import MemoryImage
import PhysicalMemory

extension Hibernate {
    /// Kernels and initrds are read up to this many bytes.
    private static let fileLimit = 256 << 20

    /// Everything that is looked at before anything is changed.
    struct Preparation {
        let path: String
        let partition: Superblock
        let kernel: BzImage
        let initrd: [UInt8]
        let a: KernelSurvey
        /// N and the CPUs below it.
        let backupEnd: BackupEnd
        /// Whether kernels B and C need no5lvl to run with the page tables that kernel A has.
        let needsFourLevels: Bool

        /// Whether kernel B is the kernel that runs now.
        var isOwnKernel: Bool { kernel.release.utf8.elementsEqual(systemNames().release.utf8) }
    }

    /// Looks whether this process may load a kernel, and whether the running kernel comes back from a jump.
    func checkKernel(_ findings: inout Findings) throws(Failure) {
        let release = systemNames().release
        if let unknown = try checkKexecJump(release: release) { findings.warn(unknown) }
        if !isOldKernelAllowed { try KernelFloor.require(release) }
    }

    /// Looks at everything else that can be looked at before anything is changed.
    func prepare(_ findings: inout Findings) throws(Failure) -> Preparation {
        let catalog = try DeviceCatalog.ofHibernationPartitions()
        let path = try findHibernationPartition(device, seconds: 0, catalog, naming: "--device")
        let partition = try checkPartition(path)
        guard let session = UUID(random: try randomBytes(16)) else { throw Failure("make", "a UUID", "too few bytes") }
        try requireMemoryForLoading(controlGroupLimit(), processMemoryLimits())
        let kernel = try BzImage(try readNamed(kernelPath, "kernel", "--kernel"), path: kernelPath)
        let initrd = try readNamed(initrdPath, "initrd", "--initrd")
        try RootfsMarker.require(initrd, path: initrdPath)
        findEarlyLoads(
            EarlyInitrd(initrd), (try? KernelMessages.read()) ?? KernelMessages(),
            taint: (try? readText("/proc/sys/kernel/tainted")).flatMap { parseNumber(trimmed($0)) } ?? 0,
            maker: .ofThisMachine(), &findings)
        let isOwnKernel = kernel.release.utf8.elementsEqual(systemNames().release.utf8)
        if let configuration = KernelConfiguration(release: kernel.release, kernelPath: kernelPath) {
            try configuration.require(kernelPath: kernelPath)
        } else if !isOwnKernel {
            findings.warn(
                "it cannot be seen whether \(kernelPath.utf8.printable) can jump back: its configuration is neither beside it "
                    + "nor in /boot nor in /lib/modules",
                remedy:
                    "make sure that it has CONFIG_KEXEC_JUMP, CONFIG_CRASH_DUMP, CONFIG_PROC_VMCORE and CONFIG_DEVMEM")
        }
        let a = try KernelSurvey(
            session: session,
            DisksInUse(
                catalog, partition: path, kernelPath: isOwnKernel ? nil : kernelPath,
                isUnwatchedAllowed: isUnwatchedAllowed, &findings))
        try kernel.requirePageTables(hasFiveLevels: a.description.machine.hasFiveLevelPaging, path: kernelPath)
        try requireJumpBack(KernelCommandLine(extraWords), hasFiveLevels: a.description.machine.hasFiveLevelPaging)
        try WatchdogSurvey().check(isOwnKernel: isOwnKernel, &findings)
        return try choosingBackupEnd(path, partition, kernel, initrd, a)
    }

    /// The superblock of a partition that an image may be written to.
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

    /// Refuses a partition that cannot hold the image however well it compresses. What is in use and does not compress
    /// to less than a tenth is found when it is written, and kernel A goes on then as well.
    private func checkSize(_ superblock: Superblock, _ path: String) throws(Failure) {
        let total = try memoryInformation("MemTotal"), free = try memoryInformation("MemFree")
        let used = total > free ? total - free : 0
        let needed = codec == .none ? used / 2 : used / 10
        if superblock.deviceByteCount < needed {
            throw Failure(
                "use", path,
                "it has \(describe(bytes: superblock.deviceByteCount)), and \(describe(bytes: used)) of memory are in use",
                remedy: "use a larger partition")
        }
    }

    /// Bytes that loading takes: kernel and initrd as they are read, and once more side by side for the kernel.
    static func loadByteCount(_ kernel: Int, _ initrd: Int) -> UInt64 {
        2 * UInt64(min(max(0, kernel), fileLimit) + min(max(0, initrd), fileLimit)) + 8 << 20
    }

    /// Refuses if a limit on this process's memory does not let kernel and initrd be read: the kernel would end this process at
    /// that of a control group, without a word.
    func requireMemoryForLoading(_ group: MemoryLimit?, _ own: [MemoryLimit]) throws(Failure) {
        let sizes = [kernelPath, initrdPath].map { Int(clamping: fileByteCount($0) ?? 0) }
        let needed = Hibernate.loadByteCount(sizes[0], sizes[1])
        for limit in own + (group.map { [$0] } ?? []) where limit.bytes < needed {
            throw Failure(
                "load", "kernel B",
                "\(describe(bytes: needed)) of memory are needed to read kernel and initrd, and \(limit.name) leaves "
                    + describe(bytes: limit.bytes), remedy: limit.remedy)
        }
    }

    private func readNamed(_ path: String, _ what: String, _ option: String) throws(Failure) -> [UInt8] {
        do throws(Failure) { return try readFile(path, limit: Hibernate.fileLimit) } catch {
            throw Failure("load \(what)", path, error.reason, remedy: "name another with \(option)")
        }
    }
}
