// SPDX-License-Identifier: Apache-2.0
import Linux

/// Reserves free memory below N, so that kexec_load(2) does not get it.
///
/// The kernel can use a page that is a segment's destination only as the source of that destination. So it puts such a page
/// aside, and walks the list of these pages for every page that it needs (6.12, kernel/kexec_core.c, `kimage_alloc_page`). If
/// most memory below N is free, this takes quadratic time: most of the time of the load.
struct LowMemoryReservation: ~Copyable {
    private let pages: MemoryReservation

    /// Reserves N bytes of free memory; the kernel chooses the pages. If all memory is in one zone, it chooses low pages first.
    /// If there is a higher zone, kexec_load(2) takes its pages from there too.
    ///
    /// - Parameters:
    ///   - end: N, in bytes. The load needs as many bytes at the same time.
    ///   - sparing: bytes that the control group's memory limit must leave for the load in addition.
    /// - Returns: nil if there is not enough memory, or if a limit forbids it. Loading works without the reservation.
    init?(below end: UInt64, sparing: UInt64) {
        guard let pages = try? MemoryReservation(byteCount: end, sparing: sparing) else { return nil }
        self.pages = pages
    }
}
