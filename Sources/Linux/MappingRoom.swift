import Basics
import CLinux

/// Room for mappings of parts of files, one behind the other, which go away together when it is used up.
///
/// Each unmapping interrupts every CPU that runs a thread of this process, and waits for it; so there should be few.
public struct MappingRoom: ~Copyable {
    private let bytes: UnsafeMutableRawBufferPointer
    /// Bytes that are mapped, or were.
    private var used = 0

    private static let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE

    /// - Parameter count: the bytes that are mapped at once at most: whole pages.
    public init(_ count: Int) throws(Failure) {
        bytes = try mapMemory(nil, count, PROT_NONE, MappingRoom.flags, -1, 0, "room")
    }

    /// Maps a range of a file, shared with it where it is writable; offset and count are whole pages. When there is no more
    /// room, all that was mapped before goes away.
    public mutating func map(
        _ file: borrowing File, offset: UInt64, count: Int, isWritable: Bool
    ) throws(Failure) -> UnsafeMutableRawBufferPointer {
        guard count <= bytes.count else {
            throw Failure("map", file.path, "there is no room for \(describe(bytes: UInt64(clamping: count))) of it")
        }
        if count > bytes.count - used {
            try vacate(bytes)
            used = 0
        }
        let place = UnsafeMutableRawBufferPointer(rebasing: bytes[used..<used + count])
        do throws(Failure) {
            try mapFile(file, offset: offset, count: count, isWritable: isWritable, at: place.baseAddress)
        } catch {
            // The kernel may have taken the place out of the room by now.
            try vacate(place)
            throw error
        }
        used += count
        return place
    }

    private func vacate(_ place: UnsafeMutableRawBufferPointer) throws(Failure) {
        _ = try mapMemory(place.baseAddress, place.count, PROT_NONE, MappingRoom.flags | MAP_FIXED, -1, 0, "room")
    }

    deinit { munmap(bytes.baseAddress, bytes.count) }
}
