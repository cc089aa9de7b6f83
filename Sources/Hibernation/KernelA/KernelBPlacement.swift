// SPDX-License-Identifier: Apache-2.0
import Basics
import Kexec
import Linux
import MemoryImage

extension Hibernate {
    /// Chooses N and the number of CPUs that kernels B and C start, and completes the preparation with both.
    func choosingBackupEnd(
        _ path: String, _ partition: Superblock, _ kernel: BzImage, _ initrd: [UInt8], _ a: KernelSurvey
    ) throws(Failure) -> Preparation {
        let needsFourLevels =
            !a.description.machine.hasFiveLevelPaging && knowsFiveLevelPaging() && kernel.usesFiveLevels
        func preparation(_ choice: BackupEnd) throws(Failure) -> Preparation {
            Preparation(
                path: path, partition: partition, kernel: kernel, initrd: initrd,
                a: try a.with(backupEnd: choice.end), backupEnd: choice, needsFourLevels: needsFourLevels)
        }
        let memory = a.memory.memory
        let need = SecondKernelMemory(
            kernel: kernel, initrd: initrd, descriptionByteCount: a.description.encoded().count,
            savedBytes: memory.byteCount, codec: codec,
            possible: try processorCount(inFile: "/sys/devices/system/cpu/possible"),
            present: try processorCount(inFile: "/sys/devices/system/cpu/present"),
            inFirmware: try PresentProcessors.inFirmware()?.count ?? 0,
            bounceBuffers: SecondKernelMemory.bounceBuffers(
                affinityTable: try? readFile("/sys/firmware/acpi/tables/SRAT", limit: 16 << 20)))
        // Placeholders: the report page's address, its key and nr_cpus= are as long as they can be.
        let key = [UInt8](repeating: 0, count: Report.keyByteCount)
        func tryLoading(_ end: UInt64) throws(Failure) {
            _ = try plan(
                preparation(BackupEnd(end: end, processors: need.present)), reportAddress: 1 << 51, reportKey: key)
        }
        let choice =
            if let backupEnd {
                try BackupEnd.require(backupEnd, memory, need, tryLoading: tryLoading)
            } else {
                try BackupEnd.choose(memory, need, tryLoading: tryLoading)
            }
        if a.unreadable.isPossible {
            try requireReadablePages(
                memory.intersection([0..<choice.end]), "/proc/kpageflags", unreadableBits: unreadablePageFlags())
        }
        return try preparation(choice)
    }
}
