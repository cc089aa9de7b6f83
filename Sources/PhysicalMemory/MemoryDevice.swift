import Basics
import Linux

/// Physical memory through /dev/mem, for addresses that the running kernel does not use itself.
///
/// RAM that `mem=` or the memory map keeps from a kernel is no System RAM to it, so CONFIG_STRICT_DEVMEM lets it be
/// mapped, cached since the file is opened without O_SYNC (drivers/char/mem.c, `mmap_mem`).
public final class MemoryDevice: @unchecked Sendable {
    private let file: File

    public init() throws(Failure) { file = try File("/dev/mem", .write) }

    /// Memory at physical addresses, mapped for reading and writing; they must be whole pages.
    public func map(_ addresses: AddressRange) throws(Failure) -> Mapping {
        try Mapping(file, offset: addresses.lowerBound, count: Int(addresses.byteCount), isWritable: true)
    }
}

/// A movable window onto physical memory: bounded page tables, however large the memory is.
public struct MemoryWindow: ~Copyable {
    /// Bytes that a window shows at most, and the alignment of its ends.
    public static let byteCount: UInt64 = 4 << 20

    private let device: MemoryDevice
    /// Addresses that may be shown: whole pages, normalized.
    private let allowed: [AddressRange]
    private var shown: AddressRange = 0..<0
    private var mapping: Mapping?

    public init(_ device: MemoryDevice, allowed: [AddressRange]) {
        self.device = device
        self.allowed = allowed
    }

    /// The memory at physical addresses, at most `byteCount` of them; valid until the next call.
    /// - Throws: where any of them is not allowed.
    public mutating func memory(for addresses: AddressRange) throws(Failure) -> UnsafeMutableRawBufferPointer {
        if !(shown.lowerBound <= addresses.lowerBound && addresses.upperBound <= shown.upperBound) {
            try show(addresses)
        }
        guard let bytes = mapping?.bytes else { throw Failure("map", hexadecimal(addresses), "there is no window") }
        let start = Int(addresses.lowerBound - shown.lowerBound)
        return UnsafeMutableRawBufferPointer(rebasing: bytes[start..<start + Int(addresses.byteCount)])
    }

    private mutating func show(_ addresses: AddressRange) throws(Failure) {
        for range in allowed where range.lowerBound <= addresses.lowerBound && addresses.upperBound <= range.upperBound
        {
            let start = max(range.lowerBound, addresses.lowerBound / MemoryWindow.byteCount * MemoryWindow.byteCount)
            let end = min(range.upperBound, max(start + MemoryWindow.byteCount, addresses.upperBound))
            mapping = nil
            shown = 0..<0
            mapping = try device.map(start..<end)
            shown = start..<end
            return
        }
        throw Failure("write", "memory at \(hexadecimal(addresses))", "it is not memory that kernel A saved")
    }
}
