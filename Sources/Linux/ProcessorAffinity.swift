// SPDX-License-Identifier: Apache-2.0
import CLinux

/// Keeps the calling thread on some CPUs, until this goes out of scope.
///
/// Where the kernel refuses (one CPU only, a cpuset without the CPUs asked for) the thread runs where it did.
/// The corresponding C functions are `sched_getaffinity` and `sched_setaffinity`.
public struct ProcessorAffinity: ~Copyable {
    /// A bit for each CPU: as many as the C library's `cpu_set_t` has.
    private let before: [UInt8]

    /// Nothing changes yet.
    public init() {
        var mask = [UInt8](repeating: 0, count: 128)
        before = torpor_get_affinity(&mask, mask.count) == 0 ? mask : []
    }

    /// Moves the thread to the first CPU, which stays online while the others are switched off for a jump
    /// (kernel/cpu.c, `freeze_secondary_cpus`).
    public func moveToFirst() { set([1] + [UInt8](repeating: 0, count: 127)) }

    /// Moves the thread to any other CPU.
    public func moveToOthers() { set([0xfe] + [UInt8](repeating: 0xff, count: 127)) }

    /// Lets the thread run where it could before.
    public consuming func restore() {}

    private func set(_ mask: [UInt8]) {
        if !before.isEmpty { _ = torpor_set_affinity(mask, mask.count) }
    }

    deinit { set(before) }
}
