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
        var isOwnKernel: Bool { kernel.release.utf8.elementsEqual(systemNames().release.utf8) }
    }

    /// Checks that this process may load a kernel, and that the running kernel comes back from a jump.
    func checkKernel(_ findings: inout Findings) throws(Failure) {
        let release = systemNames().release
        if let unknown = try checkKexecJump(release: release) { findings.warn(unknown) }
        if !isOldKernelAllowed { try KernelFloor.require(release) }
    }

    /// Makes all other checks that change nothing.
    func prepare(_ findings: inout Findings) throws(Failure) -> Preparation {
        let catalog = try DeviceCatalog.ofHibernationPartitions()
        let path = try findHibernationPartition(device, seconds: 0, catalog, naming: "--device")
        let partition = try checkPartition(path)
        guard let session = UUID(random: try randomBytes(16)) else {
            throw Failure("make", "a UUID", "too few random bytes")
        }
        try requireMemoryForLoading(controlGroupLimit(), processMemoryLimits())
        let kernel = try BzImage(try readNamed(kernelPath, "kernel", "--kernel"), path: kernelPath)
        let initrd = try readNamed(initrdPath, "initrd", "--initrd")
        try RootfsMarker.require(initrd, path: initrdPath)
        let modules = try EarlyInitrd(initrd).modules(path: initrdPath)
        try modules.require(kernel: kernel.release, path: initrdPath)
        findEarlyLoads(
            EarlyInitrd(initrd), (try? KernelMessages.read()) ?? KernelMessages(),
            taint: (try? readText("/proc/sys/kernel/tainted")).flatMap { parseNumber(trimmed($0)) } ?? 0,
            maker: .ofThisMachine(), &findings)
        let isOwnKernel = kernel.release.utf8.elementsEqual(systemNames().release.utf8)
        if let configuration = KernelConfiguration(release: kernel.release, kernelPath: kernelPath) {
            try configuration.require(kernelPath: kernelPath)
        } else if !isOwnKernel {
            findings.warn(
                "cannot check whether \(kernelPath.utf8.printable) can jump back: its configuration file is not beside it, in "
                    + "/boot or in /lib/modules",
                remedy:
                    "make sure that it has CONFIG_KEXEC_JUMP, CONFIG_CRASH_DUMP, CONFIG_PROC_VMCORE and CONFIG_DEVMEM")
        }
        let a = try KernelSurvey(
            session: session,
            DisksInUse(
                catalog, partition: path, kernelPath: isOwnKernel ? nil : kernelPath, modules: modules,
                isUnwatchedAllowed: isUnwatchedAllowed, &findings))
        try kernel.requirePageTables(hasFiveLevels: a.description.machine.hasFiveLevelPaging, path: kernelPath)
        try requireJumpBack(KernelCommandLine(extraWords), hasFiveLevels: a.description.machine.hasFiveLevelPaging)
        try WatchdogSurvey().check(isOwnKernel: isOwnKernel, modules: modules, &findings)
        return try choosingBackupEnd(path, partition, kernel, initrd, a)
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
