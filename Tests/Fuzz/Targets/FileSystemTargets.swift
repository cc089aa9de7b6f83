// SPDX-License-Identifier: Apache-2.0
import Basics

@testable import Hibernation
@testable import Linux

/// File systems that somebody has made up.
let fileSystemTargets: [FuzzTarget] = [
    // A byte for the type; then pieces of a disk: where (4 bytes), how many bytes (2), the bytes.
    FuzzTarget("file-system") { bytes in
        var input = InputReader(bytes)
        let type = FileSystemSeed.types[Int(input.number(UInt8.self)) % FileSystemSeed.types.count]
        var pieces: [(offset: UInt64, bytes: [UInt8])] = []
        while !input.remaining.isEmpty, pieces.count < 64 {
            let offset = UInt64(input.number(UInt32.self) % FileSystemSeed.byteCount)
            pieces.append((offset, input.bytes(Int(input.number(UInt16.self)))))
        }
        var reads = 0
        let reader = FileSystemReader(byteCount: UInt64(FileSystemSeed.byteCount)) { (offset, count) throws(Failure) in
            reads += 1
            require(offset + UInt64(count) <= UInt64(FileSystemSeed.byteCount), "nothing behind the end is read")
            require(count <= 1 << 20, "little is read at once")
            var result = [UInt8](repeating: 0, count: count)
            for piece in pieces {
                let end = min(piece.offset + UInt64(piece.bytes.count), offset + UInt64(count))
                var position = max(piece.offset, offset)
                while position < end {
                    result[Int(position - offset)] = piece.bytes[Int(position - piece.offset)]
                    position += 1
                }
            }
            return result
        }
        attempt { () throws(Failure) in
            guard let found = try telltales(type, isDeviceReadOnly: false, reader) else { return }
            let extents = found.ranges.wholePages(in: 0..<UInt64(FileSystemSeed.byteCount))
            require(!extents.isEmpty, "something shows a change")
            require(
                zip(extents, extents.dropFirst()).allSatisfy { $0.upperBound < $1.lowerBound }, "places are in order")
        }
        require(reads < 1 << 20, "the work is bounded")
    }
]

/// File systems of some sectors, for the fuzzer to begin with.
enum FileSystemSeed {
    static let types = ["exfat", "vfat", "xfs", "f2fs"]
    /// Bytes in the disk.
    static let byteCount: UInt32 = 4 << 20

    private static func seed(_ type: UInt8, _ pieces: [(UInt32, [UInt8])]) -> [UInt8] {
        var bytes = [type]
        for (offset, piece) in pieces {
            bytes += [UInt8(offset >> 24), UInt8(offset >> 16 & 255), UInt8(offset >> 8 & 255), UInt8(offset & 255)]
            bytes += [UInt8(piece.count >> 8), UInt8(piece.count & 255)] + piece
        }
        return bytes
    }

    static var all: [[UInt8]] { [exfat, fat, xfs, f2fs] }

    /// The table in sector 2, clusters of a sector from sector 8 on: 2 bitmap, 3 root, 4 a folder.
    private static var exfat: [UInt8] {
        var boot = [UInt8](repeating: 0, count: 112)
        boot.put(Array("EXFAT   ".utf8), at: 3, limit: 8)
        boot.put(UInt32(2), at: 80)
        boot.put(UInt32(1), at: 84)
        boot.put(UInt32(8), at: 88)
        boot.put(UInt32(100), at: 92)
        boot.put(UInt32(3), at: 96)
        boot.put([9, 0, 1], at: 108, limit: 3)
        var root = [UInt8](repeating: 0, count: 96)
        root[0] = 0x81
        root[20] = 2
        root[32] = 0x85
        root[36] = 0x10
        root[64] = 0xc0
        root[65] = 3
        root[84] = 4
        root.put(UInt64(512), at: 88)
        return seed(0, [(0, boot), (1024 + 8, [UInt8](repeating: 255, count: 12)), (9 * 512, root)])
    }

    /// A table of 12 bits in sector 1, the root in sector 2, the clusters from sector 3 on.
    private static var fat: [UInt8] {
        var boot = [UInt8](repeating: 0, count: 64)
        boot.put(UInt16(512), at: 11)
        boot[13] = 1
        boot[14] = 1
        boot[16] = 1
        boot.put(UInt16(16), at: 17)
        boot.put(UInt16(200), at: 19)
        boot[22] = 1
        var root = [UInt8](repeating: 0x20, count: 32)
        root[11] = 0x10
        root[26] = 2
        root[27] = 0
        return seed(1, [(0, boot), (512 + 3, [255, 255, 255]), (1024, root)])
    }

    private static var xfs: [UInt8] {
        var block = [UInt8](repeating: 0, count: 128)
        block.put(Array("XFSB".utf8), at: 0, limit: 4)
        block.put(UInt32(4096).byteSwapped, at: 4)
        block.put(UInt64(10).byteSwapped, at: 48)
        block.put(UInt32(512).byteSwapped, at: 84)
        block.put(UInt32(2).byteSwapped, at: 88)
        block.put(UInt32(20).byteSwapped, at: 96)
        block[124] = 9
        return seed(2, [(0, block)])
    }

    private static var f2fs: [UInt8] {
        var block = [UInt8](repeating: 0, count: 96)
        block.put(UInt32(0xf2f5_2010), at: 0)
        block[16] = 12
        block[20] = 2
        block[52] = 2
        block[76] = 4
        return seed(3, [(1024, block)])
    }
}
