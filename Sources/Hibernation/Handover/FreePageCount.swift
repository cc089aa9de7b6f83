// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// How many pages kernel A's allocator had free just before the jump.
struct FreePageCount: Equatable, Sendable {
    /// Pages that its buddy allocator had (/proc/vmstat).
    var free: UInt64
    /// Free pages that it kept for single CPUs, which give them back when they go offline for the jump (/proc/zoneinfo).
    var kept: UInt64

    /// Whether kernel A may have as many marked free, as some memory is taken and given back until the jump.
    func allows(_ found: UInt64) -> Bool {
        let tolerance = free / 8 &+ 4096
        let (most, overflow) = free.addingReportingOverflow(kept)
        return (overflow || found <= most || found - most <= tolerance) && (free <= found || free - found <= tolerance)
    }
}

extension FreePageCount {
    /// What the running kernel counts.
    static func now() throws(Failure) -> FreePageCount {
        guard let free = number("nr_free_pages", in: try readText("/proc/vmstat")) else {
            throw Failure("read", "/proc/vmstat", "it has no nr_free_pages")
        }
        return FreePageCount(free: free, kept: try kept())
    }

    /// Free pages that are kept for a CPU, or for all.
    static func kept(of processor: UInt64? = nil) throws(Failure) -> UInt64 {
        var count = PerCPUListCount(processor)
        // 500 CPUs and more make it longer than what is read of a file at once.
        try readLines("/proc/zoneinfo") { (line) throws(Failure) in
            count.take(line)
            return true
        }
        return count.sum
    }
}
