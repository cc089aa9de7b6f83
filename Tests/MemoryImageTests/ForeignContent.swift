// SPDX-License-Identifier: Apache-2.0
import Foundation
import MemoryImage

/// Contents that other tools may write onto a hibernation partition, as they write them. Other bytes stay as they are.
enum ForeignContent: String, CaseIterable {
    case swap, ntfs, ext4, btrfs, lvm, mbr, gpt, raid
    /// Somebody zeroed the beginning, and slot 1 is still there.
    case zeros

    /// The type that libblkid recognises; nil if it recognises none.
    var type: String? {
        switch self {
        case .swap, .ntfs, .ext4, .btrfs: rawValue
        case .lvm: "LVM2_member"
        case .mbr: "dos partition table"
        case .gpt: "gpt partition table"
        case .raid: "linux_raid_member"
        case .zeros: nil
        }
    }

    /// Whether the magic in slot 0 is left.
    var leavesMagic: Bool { [.lvm, .mbr, .gpt, .raid, .btrfs].contains(self) }

    func write(to file: PartitionFile) throws {
        let byteCount = Int(try file.bytes.count)
        switch self {
        case .swap:
            var bytes = [UInt8](repeating: 0, count: 4096)
            bytes.put(UInt32(1), at: 1024)
            bytes.put(UInt32(byteCount / 4096 - 1), at: 1028)
            bytes.put(Array("SWAPSPACE2".utf8), at: 4086, limit: 10)
            try file.put(bytes, at: 0)
        case .ntfs:
            try file.put(bootSector, at: 0)
            // The first record of the master file table, the one of its mirror, and the one of the volume.
            for place in [4 * 4096, 2 * 4096, 4 * 4096 + 3 * 1024] { try file.put(Array("FILE0".utf8), at: place) }
        case .ext4:
            var bytes = [UInt8](repeating: 0, count: 2048)
            bytes.put(UInt32(byteCount / 1024), at: 1024 + 4)
            bytes.put(UInt16(0xef53), at: 1024 + 56)
            bytes.put(UInt32(1), at: 1024 + 76)
            bytes.put(UInt32(0x40), at: 1024 + 96)
            try file.put(bytes, at: 0)
        case .btrfs:
            var bytes = [UInt8](repeating: 0, count: 4096)
            bytes.put(UInt64(65536), at: 48)
            bytes.put(Array("_BHRfS_M".utf8), at: 64, limit: 8)
            bytes.put(UInt32(4096), at: 144)
            try file.put(bytes, at: 65536)
        case .lvm:
            var bytes = [UInt8](repeating: 0, count: 512)
            bytes.put(Array("LABELONE".utf8), at: 0, limit: 8)
            bytes.put(UInt64(1), at: 8)
            bytes.put(UInt32(0x342c_d251), at: 16)
            bytes.put(UInt32(32), at: 20)
            bytes.put(Array("LVM2 001".utf8), at: 24, limit: 8)
            bytes.put([UInt8](repeating: UInt8(ascii: "a"), count: 32), at: 32, limit: 32)
            // The checksum of LVM, over the bytes behind it.
            bytes.put(crc(Array(bytes[20...]), initial: 0xf597_a6cf), at: 16)
            try file.put(bytes, at: 512)
        case .mbr: try file.put(table(type: 0x83, sectors: UInt32(byteCount / 512 - 2048), start: 2048), at: 440)
        case .gpt:
            try file.put(table(type: 0xee, sectors: UInt32(byteCount / 512 - 1), start: 1), at: 440)
            try file.put(partitionTable(sectors: UInt64(byteCount / 512)), at: 512)
        case .raid:
            let sector = UInt64(byteCount / 512 - 16)
            var bytes = [UInt8](repeating: 0, count: 256)
            bytes.put(UInt32(0xa92b_4efc), at: 0)
            bytes.put(UInt32(1), at: 4)
            bytes.put((1...16).map { UInt8($0) }, at: 16, limit: 16)
            bytes.put(sector, at: 144)
            var sum: UInt64 = 0
            for i in 0..<64 { sum += UInt64(try bytes.span.bytes.integer(at: i * 4, as: UInt32.self)) }
            bytes.put(UInt32(truncatingIfNeeded: sum & 0xffff_ffff + sum >> 32), at: 216)
            try file.put(bytes, at: Int(sector) * 512)
        case .zeros: try file.put([UInt8](repeating: 0, count: 32768), at: 0)
        }
    }

    /// The boot sector of an NTFS of 4 MiB with clusters of 4 KiB.
    private var bootSector: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 8192)
        bytes.put([0xeb, 0x52, 0x90], at: 0, limit: 3)
        bytes.put(Array("NTFS    ".utf8), at: 3, limit: 8)
        bytes.put(UInt16(512), at: 11)
        bytes[13] = 8
        bytes[21] = 0xf8
        bytes.put(UInt64(8191), at: 40)
        bytes.put(UInt64(4), at: 48)
        bytes.put(UInt64(2), at: 56)
        bytes[64] = 0xf6
        bytes[68] = 1
        bytes.put(UInt64(0x1234_5678), at: 72)
        bytes.put(UInt16(0xaa55), at: 510)
        return bytes
    }

    /// The last 72 bytes of the first sector: a partition table with one partition.
    private func table(type: UInt8, sectors: UInt32, start: UInt32) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 72)
        bytes[6 + 4] = type
        bytes.put(start, at: 6 + 8)
        bytes.put(sectors, at: 6 + 12)
        bytes.put(UInt16(0xaa55), at: 70)
        return bytes
    }

    /// The header and the entries of a GPT with one partition.
    private func partitionTable(sectors: UInt64) -> [UInt8] {
        var entries = [UInt8](repeating: 0, count: 128 * 128)
        entries.put([UInt8](repeating: 0x11, count: 32), at: 0, limit: 32)
        entries.put(UInt64(2048), at: 32)
        entries.put(UInt64(4095), at: 40)
        var header = [UInt8](repeating: 0, count: 512)
        header.put(Array("EFI PART".utf8), at: 0, limit: 8)
        header.put(UInt32(0x1_0000), at: 8)
        header.put(UInt32(92), at: 12)
        header.put(UInt64(1), at: 24)
        header.put(sectors - 1, at: 32)
        header.put(UInt64(34), at: 40)
        header.put(sectors - 34, at: 48)
        header.put([UInt8](repeating: 0x22, count: 16), at: 56, limit: 16)
        header.put(UInt64(2), at: 72)
        header.put(UInt32(128), at: 80)
        header.put(UInt32(128), at: 84)
        header.put(~crc(entries, initial: .max), at: 88)
        header.put(~crc(Array(header[..<92]), initial: .max), at: 16)
        return header + entries
    }

    /// CRC-32 without the complement at the end.
    private func crc(_ bytes: [UInt8], initial: UInt32) -> UInt32 {
        var sum = initial
        for byte in bytes {
            sum ^= UInt32(byte)
            for _ in 0..<8 { sum = sum & 1 == 1 ? sum >> 1 ^ 0xedb8_8320 : sum >> 1 }
        }
        return sum
    }
}
