// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// How many free pages kernel A's allocator had just before the jump.
struct FreePageCount: Equatable, Sendable {
    /// Pages of its buddy allocator (/proc/vmstat, `nr_free_pages`).
    var free: UInt64
    /// Pages on the free lists of single CPUs (pcplists), which go to the buddy allocator when those CPUs go offline for the jump
    /// (/proc/zoneinfo).
    var onCPULists: UInt64

    /// Whether kernel A may have `found` pages marked free, as some memory is taken and freed until the jump.
    func allows(_ found: UInt64) -> Bool {
        let tolerance = free / 8 &+ 4096
        let (most, overflow) = free.addingReportingOverflow(onCPULists)
        return (overflow || found <= most || found - most <= tolerance) && (free <= found || free - found <= tolerance)
    }

    /// The running kernel's.
    static func now() throws(Failure) -> FreePageCount {
        guard let free = number("nr_free_pages", in: try readText("/proc/vmstat")) else {
            throw Failure("read", "/proc/vmstat", "it has no nr_free_pages")
        }
        return FreePageCount(free: free, onCPULists: try onCPULists())
    }

    /// Pages on the free list of one CPU; of all CPUs if `processor` is nil.
    static func onCPULists(of processor: UInt64? = nil) throws(Failure) -> UInt64 {
        var count = PerCPUListCount(processor)
        // 500 CPUs and more make it longer than what is read of a file at once.
        try readLines("/proc/zoneinfo") { (line) throws(Failure) in
            count.take(line)
            return true
        }
        return count.sum
    }
}
