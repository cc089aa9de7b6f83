// SPDX-License-Identifier: Apache-2.0

/// Kernel A's counts of its own pages, taken for kernel B just before the jump.
struct MemoryNote: Equatable, Sendable {
    var free: FreePageCount
    /// Pages that must not be read, as far as /proc/meminfo counts them.
    var unreadablePages: UInt64
}
