// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux

/// Pages that are kept from everybody else until this goes out of scope. They are neither cleared nor mapped, so taking
/// them costs little (mm/shmem.c, `shmem_fallocate`).
public struct MemoryReservation: ~Copyable {
    private let file: File

    /// Takes pages as the kernel gives them, no more than half of what programs can have: the kernel itself knows no limit
    /// here, and ends programs to get as many. No limit around this process is reached either: at that of a control group the
    /// kernel would end this process, at that on the size of files a signal.
    /// - Parameters:
    ///   - sparing: bytes that the control group's limit has to leave to this process besides.
    ///   - limit: that limit.
    ///
    /// The corresponding C functions are `memfd_create` and `posix_fallocate`.
    /// - Throws: where there are not as many; none are kept then.
    public init(
        byteCount: UInt64, sparing: UInt64 = 16 << 20, limit: MemoryLimit? = controlGroupLimit()
    ) throws(Failure) {
        let operand = "\(describe(bytes: byteCount)) of memory"
        guard try memoryInformation("MemAvailable") / 2 > byteCount, let size = off_t(exactly: byteCount) else {
            throw Failure("take", operand, "there is not as much to spare")
        }
        if byteCount > fileSizeLimit() { throw Failure("take", operand, "this process's RLIMIT_FSIZE does not let it") }
        if let limit, limit.bytes < byteCount.addingSaturated(sparing) {
            throw Failure("take", operand, "\(limit.name) leaves \(describe(bytes: limit.bytes))")
        }
        let file = File(owning: try retrying("take", operand) { torpor_memory_file("torpor") }, path: "memory")
        let error = posix_fallocate(file.descriptor, 0, size)
        if error != 0 { throw Failure("take", operand, errno: error) }
        self.file = file
    }

    /// Gives them back now.
    public consuming func giveBack() {}
}

extension UInt64 {
    fileprivate func addingSaturated(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
