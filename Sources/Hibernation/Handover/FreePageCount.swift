// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// Kernel A's count of its free pages, taken just before the jump.
struct FreePageCount: Equatable, Sendable {
    /// Pages in the buddy allocator (/proc/vmstat, `nr_free_pages`).
    var free: UInt64
    /// Pages on per-CPU lists (pcplists; /proc/zoneinfo). The kernel drains a CPU's list into the buddy allocator when the CPU
    /// goes offline for the jump.
    var onCPULists: UInt64

    /// Whether `found` pages marked free are plausible: between the count and the jump, some memory is allocated and freed.
    func allows(_ found: UInt64) -> Bool {
        let tolerance = free / 8 &+ 4096
        let (most, overflow) = free.addingReportingOverflow(onCPULists)
        return (overflow || found <= most || found - most <= tolerance) && (free <= found || free - found <= tolerance)
    }

    /// The count of the running kernel.
    static func now() throws(Failure) -> FreePageCount {
        guard let free = number("nr_free_pages", in: try readText("/proc/vmstat")) else {
            throw Failure("read", "/proc/vmstat", "it has no nr_free_pages")
        }
        return FreePageCount(free: free, onCPULists: try onCPULists())
    }

    /// Pages on the per-CPU lists of one CPU; of all CPUs if `processor` is nil.
    static func onCPULists(of processor: UInt64? = nil) throws(Failure) -> UInt64 {
        var count = PerCPUListCount(processor)
        // Line by line: with 500 CPUs or more, the file is longer than `readText` reads.
        try readLines("/proc/zoneinfo") { (line) throws(Failure) in
            count.take(line)
            return true
        }
        return count.sum
    }
}
