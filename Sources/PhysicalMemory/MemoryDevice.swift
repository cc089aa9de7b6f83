import Basics
import Linux

/// Physical memory through /dev/mem, for addresses that the running kernel does not use itself.
///
/// RAM that `mem=` or the memory map keeps from a kernel is no System RAM to it, so CONFIG_STRICT_DEVMEM lets it be
/// mapped, cached since the file is opened without O_SYNC (drivers/char/mem.c, `mmap_mem`).
public final class MemoryDevice: @unchecked Sendable {
    private let file: File

    public convenience init() throws(Failure) { try self.init("/dev/mem") }

    init(_ path: String) throws(Failure) { file = try File(path, .write) }

    /// Memory at physical addresses, mapped for reading and writing; they must be whole pages.
    public func map(_ addresses: AddressRange) throws(Failure) -> Mapping {
        try Mapping(file, offset: addresses.lowerBound, count: Int(addresses.byteCount), isWritable: true)
    }
}
