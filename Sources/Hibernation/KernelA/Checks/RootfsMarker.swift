// SPDX-License-Identifier: Apache-2.0
import Basics

/// Recognises Torpor's rootfs.gz by the name in its gzip header. Kernel B would never jump back from any other initramfs.
///
/// A kernel unpacks all archives of an initrd in their order, and a later file replaces an earlier one of the same name. So
/// only uncompressed archives, such as early microcode, may precede rootfs.gz, and nothing may follow it.
enum RootfsMarker {
    /// The name that mkinitramfs.sh writes into the header (RFC 1952, FNAME).
    static let name = "torpor-rootfs"

    /// The byte range of the gzip member in the file. It is nil if no member that mkinitramfs.sh wrote begins where the kernel
    /// begins to decompress, or if the member's size is wrong. mkinitramfs.sh writes the size into the header in place of the
    /// time (RFC 1952, MTIME), which kernels skip (6.12, lib/decompress_inflate.c).
    static func member(in file: [UInt8]) -> Range<Int>? {
        let start = EarlyInitrd.end(of: file)
        // ID1, ID2, method deflate, flags with only FNAME; then the size (4 bytes), extra flags and operating system.
        let magic: [UInt8] = [0x1f, 0x8b, 8, 8]
        let tail = Array(name.utf8) + [0]
        let headerSize = 10 + tail.count
        guard file.count - start >= headerSize, file[start..<start + 4].elementsEqual(magic),
            file[start + 10..<start + headerSize].elementsEqual(tail),
            let size = try? file.span.bytes.integer(at: start + 4, as: UInt32.self),
            size >= headerSize, size <= file.count - start
        else { return nil }
        return start..<start + Int(size)
    }

    /// Refuses an initrd that is not Torpor's rootfs.gz or has more data behind it.
    /// - Parameter path: the initrd's path, for the message.
    static func require(_ file: [UInt8], path: String) throws(Failure) {
        guard let member = member(in: file) else {
            throw Failure(
                "load initrd", path, "it is not Torpor's rootfs.gz, and kernel B would never jump back from it",
                remedy: "let --initrd name a file that mkinitramfs.sh has built")
        }
        // Boot loaders append zeros to an initrd. They contain no archive.
        guard file[member.upperBound...].allSatisfy({ $0 == 0 }) else {
            throw Failure(
                "load initrd", path, "it has more data behind Torpor's rootfs.gz, which could replace its /init",
                remedy:
                    "let --initrd name a file that mkinitramfs.sh has built, and add files with mkinitramfs.sh --add")
        }
    }

    /// Bytes of memory that the unpacked initrd takes: the size at the end of the gzip member (RFC 1952, ISIZE), or four times
    /// the member's size if that number is implausible, and the archives before the member.
    static func unpackedByteCount(_ file: [UInt8]) -> UInt64 {
        let member = member(in: file) ?? 0..<file.count
        let front = UInt64(member.lowerBound), packed = UInt64(member.count)
        guard packed >= 4, let size = try? file.span.bytes.integer(at: member.upperBound - 4, as: UInt32.self),
            UInt64(size) >= packed, UInt64(size) <= packed * 32
        else { return packed * 4 + front }
        return UInt64(size) + front
    }
}
