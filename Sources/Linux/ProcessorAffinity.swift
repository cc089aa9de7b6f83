// SPDX-License-Identifier: Apache-2.0
import CLinux

/// Restricts the calling thread to some CPUs until this goes out of scope.
///
/// If the kernel refuses (a single CPU, a cpuset without the requested CPUs), the affinity stays as it was.
/// The corresponding C functions are `sched_getaffinity` and `sched_setaffinity`.
public struct ProcessorAffinity: ~Copyable {
    /// One bit for each CPU, as in the C library's `cpu_set_t`. Empty if the affinity could not be read.
    private let before: [UInt8]

    /// Remembers the thread's affinity. Changes nothing yet.
    public init() {
        var mask = [UInt8](repeating: 0, count: 128)
        before = torpor_get_affinity(&mask, mask.count) == 0 ? mask : []
    }

    /// Moves the thread to CPU 0, which stays online for a jump while the kernel takes the others offline (kernel/cpu.c,
    /// `freeze_secondary_cpus`).
    public func moveToFirst() { set([1] + [UInt8](repeating: 0, count: 127)) }

    /// Moves the thread to any other CPU.
    public func moveToOthers() { set([0xfe] + [UInt8](repeating: 0xff, count: 127)) }

    /// Restores the thread's affinity now.
    public consuming func restore() {}

    private func set(_ mask: [UInt8]) {
        if !before.isEmpty { _ = torpor_set_affinity(0, mask, mask.count) }
    }

    deinit { set(before) }
}
