// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// Physical memory through /dev/mem, for addresses that the running kernel does not use itself.
///
/// RAM that `mem=` or the memory map keeps from a kernel is no System RAM to it, so CONFIG_STRICT_DEVMEM lets it be
/// mapped, cached unless the file is opened with O_SYNC (6.12, drivers/char/mem.c, `mmap_mem`; arch/x86/mm/pat/memtype.c,
/// `phys_mem_access_prot_allowed`).
public final class MemoryDevice: @unchecked Sendable {
    private let file: File

    /// - Parameter isCached: whether the processor's caches may hold what is written.
    public convenience init(isCached: Bool = true) throws(Failure) {
        try self.init("/dev/mem", isCached ? .write : [.write, .synchronous])
    }

    init(_ path: String, _ options: File.Options = .write) throws(Failure) { file = try File(path, options) }

    /// Memory at physical addresses, mapped for reading and writing; they must be whole pages.
    public func map(_ addresses: PhysicalRange) throws(Failure) -> Mapping {
        try Mapping(file, offset: addresses.lowerBound, count: Int(addresses.byteCount), isWritable: true)
    }
}
