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

    /// The same in a room, with what is in it already.
    func map(_ addresses: AddressRange, in room: inout MappingRoom) throws(Failure) -> UnsafeMutableRawBufferPointer {
        try room.map(file, offset: addresses.lowerBound, count: Int(addresses.byteCount), isWritable: true)
    }
}

/// A movable window onto physical memory: bounded page tables, however large the memory is.
public struct MemoryWindow: ~Copyable {
    /// Bytes that a window shows, and the alignment of its ends; more only where more is asked for.
    public static let byteCount: UInt64 = 2 << 20
    /// Bytes of the places that it stood at and that are still mapped.
    private static let roomByteCount = 64 << 20

    private let device: MemoryDevice
    /// Addresses that may be shown: whole pages, normalized.
    private let allowed: [AddressRange]
    private var shown: AddressRange = 0..<0
    private var bytes = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    private var room: MappingRoom

    public init(_ device: MemoryDevice, allowed: [AddressRange]) throws(Failure) {
        self.device = device
        self.allowed = allowed
        room = try MappingRoom(MemoryWindow.roomByteCount)
    }

    /// The memory at physical addresses, at most `byteCount` of them; valid until the next call.
    /// - Throws: where any of them is not allowed.
    public mutating func memory(for addresses: AddressRange) throws(Failure) -> UnsafeMutableRawBufferPointer {
        if !(shown.lowerBound <= addresses.lowerBound && addresses.upperBound <= shown.upperBound) {
            try show(addresses)
        }
        let start = Int(addresses.lowerBound - shown.lowerBound)
        return UnsafeMutableRawBufferPointer(rebasing: bytes[start..<start + Int(addresses.byteCount)])
    }

    private mutating func show(_ addresses: AddressRange) throws(Failure) {
        for range in allowed where range.lowerBound <= addresses.lowerBound && addresses.upperBound <= range.upperBound
        {
            let start = max(range.lowerBound, addresses.lowerBound / MemoryWindow.byteCount * MemoryWindow.byteCount)
            let end = min(range.upperBound, max(start + MemoryWindow.byteCount, addresses.upperBound))
            shown = 0..<0
            bytes = try device.map(start..<end, in: &room)
            shown = start..<end
            return
        }
        throw Failure("write", "memory at \(hexadecimal(addresses))", "it is not memory that kernel A saved")
    }
}
