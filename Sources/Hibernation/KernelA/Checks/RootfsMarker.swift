// SPDX-License-Identifier: Apache-2.0
import Basics

/// Torpor's rootfs.gz, known by the name in its gzip header: any other initramfs would boot in kernel B and never come back.
///
/// A kernel unpacks all archives of an initrd one behind the other, and what comes later replaces what came before. So only
/// uncompressed archives, as early microcode is, may stand in front of it, and nothing behind it.
enum RootfsMarker {
    /// What mkinitramfs.sh writes (RFC 1952, FNAME).
    static let name = "torpor-rootfs"

    /// The bytes of the gzip member in the file; nil if there is none that mkinitramfs.sh wrote where the kernel begins to
    /// decompress, or none of that size. Its size is in the header, in place of a time (RFC 1952, MTIME), which kernels
    /// pass over (lib/decompress_inflate.c, Linux 6.12).
    static func member(in file: [UInt8]) -> Range<Int>? {
        let start = EarlyInitrd.end(of: file)
        // ID1, ID2, deflate, only FNAME; then size (4), extra flags and system.
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

    /// - Parameter path: the file's, for the message.
    static func require(_ file: [UInt8], path: String) throws(Failure) {
        guard let member = member(in: file) else {
            throw Failure(
                "load initrd", path, "it is not Torpor's rootfs.gz, and kernel B would not come back from it",
                remedy: "name one that mkinitramfs.sh made with --initrd")
        }
        // Zeros, as boot loaders put them behind an initrd, hold no archive.
        guard file[member.upperBound...].allSatisfy({ $0 == 0 }) else {
            throw Failure(
                "load initrd", path, "something is behind Torpor's rootfs.gz, and could replace its /init",
                remedy: "name what mkinitramfs.sh made with --initrd, and put more files in with mkinitramfs.sh --add")
        }
    }

    /// Bytes that the kernel unpacks of a file: the size at the end of the gzip member (RFC 1952, ISIZE), if it can be that,
    /// and whatever stands in front.
    static func unpackedByteCount(_ file: [UInt8]) -> UInt64 {
        let member = member(in: file) ?? 0..<file.count
        let front = UInt64(member.lowerBound), packed = UInt64(member.count)
        guard packed >= 4, let size = try? file.span.bytes.integer(at: member.upperBound - 4, as: UInt32.self),
            UInt64(size) >= packed, UInt64(size) <= packed * 32
        else { return packed * 4 + front }
        return UInt64(size) + front
    }
}
