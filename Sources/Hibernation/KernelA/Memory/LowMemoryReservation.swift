// SPDX-License-Identifier: Apache-2.0
import Linux

/// Keeps free memory below N from being given to kexec_load(2).
///
/// A page that is a segment's destination can only serve as that destination's own source, so the kernel puts it aside
/// and walks the list of such pages for every page it needs (kernel/kexec_core.c, `kimage_alloc_page`): with most of the
/// memory below N free, that is quadratic, and most of the time that loading takes.
struct LowMemoryReservation: ~Copyable {
    private let pages: MemoryReservation

    /// Takes as many free pages as lie below N, as the kernel gives them: it gives low ones first where all memory is in
    /// one zone, and where there is a higher zone kexec_load takes its pages from that as well.
    ///
    /// - Parameters:
    ///   - end: N, in bytes. The loading needs as many bytes at the same time.
    ///   - sparing: bytes that a limit on this process's memory has to leave for the loading besides.
    /// - Returns: nil if there is not enough memory, or a limit does not let it; loading works without it.
    init?(below end: UInt64, sparing: UInt64) {
        guard let pages = try? MemoryReservation(byteCount: end, sparing: sparing) else { return nil }
        self.pages = pages
    }
}
