// SPDX-License-Identifier: Apache-2.0
import Basics
import Kexec
import Linux
import MemoryImage

/// The kernel and the rootfs.gz on the hibernation partition, with which an ordinary start continues.
extension Hibernate {
    /// The parameters that kernel C's command line needs on this system.
    func parametersForC(_ preparation: Preparation, _ own: KernelCommandLine) -> [String] {
        KernelCCommandLine(
            partition: preparation.partition.uuid, backupEnd: preparation.backupEnd.end,
            processors: preparation.backupEnd.processors, needsFourLevels: preparation.needsFourLevels,
            memoryParameters: MemoryTakers(isOwnKernel: preparation.isOwnKernel).parametersForC, own: own
        ).parameters
    }

    /// Kernel C is the pair that is kernel B: both drive the same disks.
    private func bootFiles(_ preparation: Preparation) throws(Failure) -> BootFiles {
        let own = KernelCommandLine(try readText("/proc/cmdline"))
        let parameters = parametersForC(preparation, own) + HardwareParameters.usefulForKernelC(own)
        return BootFiles(
            kernel: preparation.kernel.bytes, initrd: preparation.initrd, parameters: parameters.joined(separator: " "))
    }

    /// Refuses a kernel and a rootfs.gz that the partition cannot keep. A partition that keeps none is no reason to refuse: a
    /// boot entry can start kernel C directly.
    func checkBootFiles(_ preparation: Preparation, _ findings: inout Findings) throws(Failure) {
        let files = try bootFiles(preparation)
        guard preparation.partition.keepsBootFiles else {
            findings.warn(
                "\(preparation.path) has no space for boot files, so only a boot entry with the parameters of kernel C resumes "
                    + "the session",
                remedy: "format it again with: torpor format --boot-files 64M \(preparation.path)")
            return
        }
        try preparation.partition.requireCapacity(for: files, preparation.path)
    }

    /// Keeps the kernel and the rootfs.gz on the partition, if it has space for them and other ones are there.
    /// - Returns: the superblock that counts then.
    func storeBootFiles(_ preparation: Preparation, _ findings: inout Findings) throws(Failure) -> Superblock {
        try checkBootFiles(preparation, &findings)
        guard preparation.partition.keepsBootFiles else { return preparation.partition }
        let partition = try HibernationPartition(preparation.path, [.write, .exclusive])
        _ = try partition.store(bootFiles(preparation))
        return partition.superblock
    }
}
