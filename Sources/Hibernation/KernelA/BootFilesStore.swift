// SPDX-License-Identifier: Apache-2.0
import Basics
import Kexec
import Linux
import MemoryImage

/// The kernel and the rootfs.gz on the hibernation partition, with which an ordinary start continues.
extension Hibernate {
    /// Kernel C is the pair that is kernel B: both drive the same disks.
    private func bootFiles(_ preparation: Preparation) throws(Failure) -> BootFiles {
        let own = KernelCommandLine(try readText("/proc/cmdline"))
        let parameters = try parametersForC(preparation) + HardwareParameters.usefulForKernelC(own)
        return BootFiles(
            kernel: preparation.kernel.bytes, initrd: preparation.initrd, parameters: parameters.joined(separator: " "))
    }

    /// Refuses a kernel and a rootfs.gz that the partition cannot keep. A partition that keeps none is no reason to refuse: a
    /// boot entry can start kernel C directly.
    /// - Returns: what the partition can keep; nil if it keeps none.
    @discardableResult
    func checkBootFiles(_ preparation: Preparation, _ findings: inout Findings) throws(Failure) -> BootFiles? {
        guard preparation.partition.keepsBootFiles else {
            findings.warn(
                "\(preparation.path) has no space for boot files, so only a boot entry with the parameters of kernel C resumes "
                    + "the session",
                remedy: "format it again with: torpor format --boot-files 64M \(preparation.path)")
            return nil
        }
        let files = try bootFiles(preparation)
        try preparation.partition.requireCapacity(for: files, preparation.path)
        return files
    }

    /// Keeps the kernel and the rootfs.gz on the partition, if it has space for them and other ones are there.
    /// - Returns: the superblock that counts then.
    func storeBootFiles(_ preparation: Preparation, _ findings: inout Findings) throws(Failure) -> Superblock {
        guard let files = try checkBootFiles(preparation, &findings) else { return preparation.partition }
        let partition = try HibernationPartition(preparation.path, [.write, .exclusive])
        _ = try partition.store(files)
        return partition.superblock
    }
}
