import Basics
import Linux

/// Keeps free memory below N from being given to kexec_load(2).
///
/// A page that is a segment's destination can only serve as that destination's own source, so the kernel puts it aside
/// and walks the list of such pages for every page it needs (kernel/kexec_core.c, `kimage_alloc_page`): with most of the
/// memory below N free, that is quadratic, and most of the time that loading takes. Pages that this process holds are
/// not free, and what they hold are zeros, which cost nothing to save.
final class LowMemory {
    private let mapping: Mapping

    /// Takes free pages as the kernel gives them, as many as lie below N, and keeps those below it: the kernel gives low
    /// pages first where all memory is in one zone, and not at all where there is a higher one.
    ///
    /// - Parameters:
    ///   - end: N, in bytes.
    ///   - available: bytes that can be taken for a moment.
    /// - Returns: nil where there is not enough memory; loading works without it.
    init?(below end: UInt64, available: UInt64) {
        let size = end
        guard available / 2 > size, let mapping = try? Mapping(anonymous: Int(size)) else { return nil }
        let page = Int(pageSize)
        for offset in stride(from: 0, to: mapping.bytes.count, by: page) { mapping.bytes[offset] = 0 }
        guard let frames = try? pageFrames(of: mapping.bytes) else { return nil }
        var start = 0
        while start < frames.count {
            let isLow = frames[start] < end / pageSize
            var next = start + 1
            while next < frames.count, (frames[next] < end / pageSize) == isLow { next += 1 }
            if !isLow {
                giveBack(UnsafeMutableRawBufferPointer(rebasing: mapping.bytes[start * page..<next * page]))
            }
            start = next
        }
        self.mapping = mapping
    }
}
