// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux

/// Pages that nothing else can allocate until this goes out of scope. They are neither cleared nor mapped, so the reservation
/// is cheap (mm/shmem.c, `shmem_fallocate`).
public struct MemoryReservation: ~Copyable {
    private let file: File

    /// Reserves pages in the order in which the kernel allocates them.
    ///
    /// The reservation must be smaller than half of the available memory: to satisfy a larger one, the kernel would start the
    /// OOM killer. It must also stay within this process's limits: above the control group's limit the OOM killer would kill
    /// this process, and above RLIMIT_FSIZE a signal would.
    /// The corresponding C functions are `memfd_create` and `posix_fallocate`.
    /// - Parameters:
    ///   - sparing: bytes that must remain below the control group's limit after the reservation.
    ///   - limit: the control group's limit.
    /// - Throws: if the memory does not suffice. Nothing is reserved then.
    public init(
        byteCount: UInt64, sparing: UInt64 = 16 << 20, limit: MemoryLimit? = controlGroupLimit()
    ) throws(Failure) {
        let operand = "\(describe(bytes: byteCount)) of memory"
        guard try memoryInformation("MemAvailable") / 2 > byteCount, let size = off_t(exactly: byteCount) else {
            throw Failure("reserve", operand, "not enough free memory")
        }
        if byteCount > fileSizeLimit() { throw Failure("reserve", operand, "this process's RLIMIT_FSIZE is smaller") }
        if let limit, limit.bytes < byteCount.addingSaturated(sparing) {
            throw Failure("reserve", operand, "\(limit.name) leaves only \(describe(bytes: limit.bytes))")
        }
        let file = File(owning: try retrying("reserve", operand) { torpor_memory_file("torpor") }, path: "memory")
        let error = posix_fallocate(file.descriptor, 0, size)
        if error != 0 { throw Failure("reserve", operand, errno: error) }
        self.file = file
    }

    /// Frees the pages now.
    public consuming func release() {}
}

extension UInt64 {
    fileprivate func addingSaturated(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
