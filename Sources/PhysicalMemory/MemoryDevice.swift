// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// Physical memory through /dev/mem, for addresses that the running kernel does not use.
///
/// RAM that `mem=` or the memory map hides from a kernel is not System RAM to it, so it can be mapped even with
/// CONFIG_STRICT_DEVMEM. The mapping is cached unless the file is opened with O_SYNC (6.12, drivers/char/mem.c, `mmap_mem`;
/// arch/x86/mm/pat/memtype.c, `phys_mem_access_prot_allowed`).
///
/// It is `@unchecked Sendable` because nothing in it changes.
public final class MemoryDevice: @unchecked Sendable {
    private let file: File

    /// - Parameter isCached: whether the processor may cache the mappings.
    public convenience init(isCached: Bool = true) throws(Failure) {
        try self.init("/dev/mem", isCached ? .write : [.write, .synchronous])
    }

    init(_ path: String, _ options: File.Options = .write) throws(Failure) { file = try File(path, options) }

    /// Maps the memory at physical addresses for reading and writing. They must be whole pages.
    public func map(_ addresses: PhysicalRange) throws(Failure) -> Mapping {
        try Mapping(file, offset: addresses.lowerBound, count: Int(addresses.byteCount), isWritable: true)
    }
}
