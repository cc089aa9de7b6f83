import Basics
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
        let a: KernelA
    }

    /// Looks at everything that can be looked at before anything is changed.
    func prepare(_ findings: inout Findings) throws(Failure) -> Preparation {
        try checkKexecJump()
        let catalog = try DeviceCatalog.ofHibernationPartitions()
        let path = try findHibernationPartition(device, seconds: 0, catalog)
        let partition = try checkPartition(path)
        guard let session = UUID(random: try randomBytes(16)) else { throw Failure("make", "a UUID", "too few bytes") }
        let kernel = try BzImage(try readNamed(kernelPath, "kernel", "--kernel"), path: kernelPath)
        let initrd = try readNamed(initrdPath, "initrd", "--initrd")
        findEarlyLoads(
            EarlyInitrd(initrd), (try? KernelMessages.read()) ?? KernelMessages(),
            taint: (try? readText("/proc/sys/kernel/tainted")).flatMap { parseNumber(trimmed($0)) } ?? 0, &findings)
        return Preparation(
            path: path, partition: partition, kernel: kernel, initrd: initrd,
            a: try KernelA(backupEnd: backupEnd, session: session, catalog, isUnwatchedAllowed: isUnwatchedAllowed))
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
        try requireNoWaitingImage(partition.superblock, path)
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

    private func readNamed(_ path: String, _ what: String, _ option: String) throws(Failure) -> [UInt8] {
        do throws(Failure) { return try readFile(path, limit: Hibernate.fileLimit) } catch {
            throw Failure("load \(what)", path, error.reason, remedy: "name another with \(option)")
        }
    }
}
