import Basics

/// Torpor's rootfs.gz, known by the name in its gzip header: any other initramfs would boot in kernel B and never come back.
enum RootfsMarker {
    /// What mkinitramfs.sh writes (RFC 1952, FNAME).
    static let name = "torpor-rootfs"

    /// Byte offset of the gzip member in the file: something may stand in front, as early microcode does; nil if there is
    /// none.
    static func offset(in file: [UInt8]) -> Int? {
        // ID1, ID2, deflate, only FNAME; then time (4), extra flags and system.
        let start: [UInt8] = [0x1f, 0x8b, 8, 8]
        let tail = Array(name.utf8) + [0]
        let size = 10 + tail.count
        guard file.count >= size else { return nil }
        return file.withUnsafeBytes { bytes in
            for offset in 0...bytes.count - size where bytes[offset] == start[0] {
                if bytes[offset..<offset + 4].elementsEqual(start),
                    bytes[offset + 10..<offset + size].elementsEqual(tail)
                {
                    return offset
                }
            }
            return nil
        }
    }

    /// - Parameter path: the file's, for the message.
    static func require(_ file: [UInt8], path: String) throws(Failure) {
        guard offset(in: file) == nil else { return }
        throw Failure(
            "load initrd", path, "it is not Torpor's rootfs.gz, and kernel B would not come back from it",
            remedy: "name one that mkinitramfs.sh made with --initrd")
    }

    /// Bytes that the kernel unpacks of a file: the size at the end of the gzip member (RFC 1952, ISIZE), if it can be that,
    /// and whatever stands in front.
    static func unpackedByteCount(_ file: [UInt8]) -> UInt64 {
        let front = offset(in: file) ?? 0
        let packed = UInt64(file.count - front)
        guard packed >= 4, let size = try? file.span.bytes.integer(at: file.count - 4, as: UInt32.self),
            UInt64(size) >= packed, UInt64(size) <= packed * 32
        else { return packed * 4 + UInt64(front) }
        return UInt64(size) + UInt64(front)
    }
}
