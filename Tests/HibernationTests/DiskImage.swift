// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation

@testable import Hibernation

/// A disk of which only the blocks that were written take memory.
final class DiskImage {
    let byteCount: UInt64
    private var blocks: [UInt64: [UInt8]] = [:]
    /// Reads that were made.
    private(set) var reads = 0

    init(_ byteCount: UInt64) { self.byteCount = byteCount }

    func put(_ bytes: [UInt8], at offset: UInt64) {
        for (i, byte) in bytes.enumerated() {
            let position = offset + UInt64(i)
            blocks[position / 4096, default: [UInt8](repeating: 0, count: 4096)][Int(position % 4096)] = byte
        }
    }

    func put<T: FixedWidthInteger>(_ value: T, at offset: UInt64) {
        var bytes: [UInt8] = []
        bytes.append(littleEndian: value)
        put(bytes, at: offset)
    }

    var reader: FileSystemReader {
        FileSystemReader(byteCount: byteCount) { (offset, count) throws(Failure) in
            self.reads += 1
            var result: [UInt8] = []
            for position in offset..<offset + UInt64(count) {
                let block = self.blocks[position / 4096]
                result.append(block?[Int(position % 4096)] ?? 0)
            }
            return result
        }
    }

    /// Writes it to a file, with holes.
    func write(to path: String) throws {
        try Data().write(to: URL(filePath: path))
        guard let file = FileHandle(forWritingAtPath: path) else { return }
        try file.truncate(atOffset: byteCount)
        for (number, block) in blocks {
            try file.seek(toOffset: number * 4096)
            try file.write(contentsOf: Data(block))
        }
        try file.close()
    }
}

extension DiskImage {
    /// The folder of the exFAT below that has the file which another system writes to, as an offset.
    static let exFATFolder: UInt64 = (32 << 20) + (40 - 2) * 4096

    /// An exFAT as cards are formatted: the table at 16 MiB, the clusters at 32 MiB, nothing that changes before.
    ///
    /// Clusters of 4 KiB: 2 bitmap, 3 upcase table, 4 root, 10 and 11 a folder without a chain, 30 and 40 one in it with a
    /// chain, 20 and 21 files.
    static func exFAT() -> DiskImage {
        let disk = DiskImage(48 << 20)
        disk.put(Array("EXFAT   ".utf8), at: 3)
        disk.put(UInt32(32768), at: 80)
        disk.put(UInt32(64), at: 84)
        disk.put(UInt32(65536), at: 88)
        disk.put(UInt32(4096), at: 92)
        disk.put(UInt32(4), at: 96)
        disk.put([9, 3, 1], at: 108)
        func table(_ cluster: UInt64, _ next: UInt32) { disk.put(next, at: (16 << 20) + cluster * 4) }
        func entry(
            _ cluster: UInt64, _ number: UInt64, _ type: UInt8, _ first: UInt32 = 0, size: UInt64 = 0, flags: UInt8 = 1
        ) {
            let offset = (32 << 20) + (cluster - 2) * 4096 + number * 32
            disk.put([type, flags], at: offset)
            if type == 0x85 { disk.put(UInt16(flags), at: offset + 4) }
            if type != 0x85 { disk.put(first, at: offset + 20) }
            if type != 0x85 { disk.put(size, at: offset + 24) }
        }
        for cluster in [UInt64(2), 3, 4, 40, 20, 21] { table(cluster, .max) }
        table(30, 40)
        entry(4, 0, 0x81, 2, size: 512, flags: 0)
        entry(4, 1, 0x82, 3, size: 100, flags: 0)
        entry(4, 2, 0x85, flags: 0x10)
        entry(4, 3, 0xc0, 10, size: 8192, flags: 3)
        entry(4, 4, 0xc1)
        entry(4, 5, 0x85, flags: 0x20)
        entry(4, 6, 0xc0, 20, size: 100, flags: 3)
        entry(4, 7, 0xc1)
        // Entries of files that were deleted, up to the end of the first cluster; the set lies across clusters.
        for number in 0..<UInt64(127) { entry(10, number, 0x05) }
        entry(10, 127, 0x85, flags: 0x10)
        entry(11, 0, 0xc0, 30, size: 8192, flags: 1)
        for number in 0..<UInt64(128) { entry(30, number, 0x05) }
        entry(40, 0, 0x85, flags: 0x20)
        entry(40, 1, 0xc0, 21, size: 100, flags: 3)
        return disk
    }

    /// A FAT with folders of one cluster of 2 KiB each, in each other: root → 5 → 9 (with a chain to 12) → 200.
    static func fat(_ bits: Int) -> DiskImage {
        let clusters: UInt64 = bits == 12 ? 2000 : bits == 16 ? 20_000 : 70_000
        let tableSectors = (clusters + 2) * UInt64(bits) / 8 / 512 + 1
        let disk = DiskImage((clusters * 4 + 2 * tableSectors + 64) * 512)
        disk.put(UInt16(512), at: 11)
        disk.put([4], at: 13)
        disk.put(UInt16(bits == 32 ? 32 : 1), at: 14)
        disk.put([2], at: 16)
        disk.put(UInt16(bits == 32 ? 0 : 512), at: 17)
        disk.put(UInt32(clusters * 4 + 2 * tableSectors + 60), at: 32)
        if bits == 32 {
            disk.put(UInt32(tableSectors), at: 36)
            disk.put(UInt32(3), at: 44)
        } else {
            disk.put(UInt16(tableSectors), at: 22)
        }
        let tableStart = bits == 32 ? UInt64(32 * 512) : 512
        func next(_ cluster: UInt64, _ value: UInt64) {
            var bit = cluster * UInt64(bits)
            for number in 0..<UInt64(bits) {
                let offset = tableStart + bit / 8
                let old = (try? disk.reader.bytes(at: offset, count: 1)[0]) ?? 0
                if value >> number & 1 != 0 { disk.put([old | 1 << UInt8(bit % 8)], at: offset) }
                bit += 1
            }
        }
        let end: UInt64 = bits == 12 ? 0xfff : bits == 16 ? 0xffff : 0x0fff_ffff
        for cluster in [UInt64(3), 5, 12, 200] { next(cluster, end) }
        next(9, 12)
        func folder(_ offset: UInt64, _ number: UInt64, _ name: String, _ cluster: UInt32, attributes: UInt8 = 0x10) {
            disk.put(Array(name.utf8), at: offset + number * 32)
            disk.put([attributes], at: offset + number * 32 + 11)
            disk.put(UInt16(truncatingIfNeeded: cluster), at: offset + number * 32 + 26)
            if bits == 32 { disk.put(UInt16(cluster >> 16), at: offset + number * 32 + 20) }
        }
        let root = fatRoot(bits, tableSectors), data = fatData(bits, tableSectors)
        func cluster(_ number: UInt64) -> UInt64 { data + (number - 2) * 2048 }
        folder(root, 0, "LABEL      ", 0, attributes: 8)
        folder(root, 1, "A          ", 0, attributes: 0x0f)
        folder(root, 3, "FOLDER     ", 5)
        folder(root, 4, "FILE       ", 77, attributes: 0x20)
        folder(cluster(5), 0, ".          ", 5)
        folder(cluster(5), 1, "..         ", 0)
        folder(cluster(5), 2, "\u{7f}GONE      ", 9)
        // Linux goes on behind an entry that says that it is the last one.
        folder(cluster(12), 63, "DEEP       ", 200)
        return disk
    }

    static func fatTableSectors(_ bits: Int) -> UInt64 {
        ((bits == 12 ? 2000 : bits == 16 ? 20_000 : 70_000) + 2) * UInt64(bits) / 8 / 512 + 1
    }

    private static func fatRoot(_ bits: Int, _ tableSectors: UInt64) -> UInt64 {
        bits == 32 ? fatData(32, tableSectors) + 2048 : (1 + 2 * tableSectors) * 512
    }

    private static func fatData(_ bits: Int, _ tableSectors: UInt64) -> UInt64 {
        bits == 32 ? (32 + 2 * tableSectors) * 512 : (1 + 2 * tableSectors) * 512 + 512 * 32
    }

    static func fatCluster(_ bits: Int, _ number: UInt64) -> DeviceRange {
        let start = fatData(bits, fatTableSectors(bits)) + (number - 2) * 2048
        return start..<start + 2048
    }
}
