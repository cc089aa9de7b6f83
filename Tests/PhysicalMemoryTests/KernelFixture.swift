// SPDX-License-Identifier: Apache-2.0
import Basics
import Fixtures
import Foundation

@testable import PhysicalMemory

/// A kernel A in miniature, written as an ELF core file: 4 MiB of memory with page tables and a memory map in it, the first
/// 64 KiB of them swapped out to other pages.
struct KernelFixture {
    static let memory: PhysicalRange = 0x100_0000..<0x140_0000
    static let backup: PhysicalRange = 0x100_0000..<0x101_0000
    /// Where the backed-up pages are, in reverse order so that a wrong index shows.
    static let sources = (0..<16).map { 0x120_0000 / pageSize + 15 - UInt64($0) }
    static let textMap: UInt64 = 0xffff_ffff_8000_0000
    static let memoryMap: UInt64 = 0xffff_ea00_0000_0000
    static let structByteCount: UInt64 = 64
    static let mark: UInt32 = 0xf000_0000

    var bytes = [UInt8](repeating: 0, count: Int(memory.byteCount))
    var lines = [
        "SYMBOL(init_top_pgt)=ffffffff81300000", "NUMBER(phys_base)=0", "NUMBER(pgtable_l5_enabled)=0",
        "SYMBOL(vmemmap)=ffffea0000000000", "SIZE(page)=64", "OFFSET(page._mapcount)=48", "OFFSET(page.private)=40",
        "LENGTH(zone.free_area)=11", "NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-268435456",
    ]

    /// Page tables for the memory map: root at 0x1300000, with the structures at 0x1004000 and up, in the backup range.
    init() {
        put(entry: 0x130_1000 | 1, table: 0x130_0000, index: Self.memoryMap >> 39)
        put(entry: 0x130_2000 | 1, table: 0x130_1000, index: Self.memoryMap >> 30)
        put(entry: 0x130_3000 | 1, table: 0x130_2000, index: Self.memoryMap >> 21)
        let first = Self.memoryMap + Self.memory.lowerBound / pageSize * Self.structByteCount
        for i in 0..<16 as Range<UInt64> {
            let address = i < 8 ? 0x100_4000 + i * pageSize : 0x110_0000 + i * pageSize
            put(entry: address | 1, table: 0x130_3000, index: (first + i * pageSize) >> 12)
        }
    }

    var info: VMCoreInfo { VMCoreInfo(Array(lines.joined(separator: "\n").utf8)) }

    private mutating func put(entry: UInt64, table: UInt64, index: UInt64) {
        store(entry, at: table + (index & 511) * 8)
    }

    /// Stores at kernel A's physical address, wherever that is backed up to.
    mutating func store<T: FixedWidthInteger>(_ value: T, at address: UInt64) {
        var place = address
        if Self.backup.contains(address) {
            place = Self.sources[Int((address - Self.backup.lowerBound) / pageSize)] * pageSize + address % pageSize
        }
        bytes.put(value, at: Int(place - Self.memory.lowerBound))
    }

    /// Marks a frame as the first of a free block.
    mutating func markFree(_ frame: UInt64, order: UInt64) {
        let position = frame * Self.structByteCount - Self.memory.lowerBound / pageSize * Self.structByteCount
        let page = position / pageSize
        let base = page < 8 ? 0x100_4000 + page * pageSize : 0x110_0000 + page * pageSize
        store(Self.mark, at: base + position % pageSize + 48)
        store(order, at: base + position % pageSize + 40)
    }

    /// Sets what the structure of a frame has of type and flags.
    mutating func set(mark: UInt32 = .max, flags: UInt64 = 0, of frame: UInt64) {
        let position = (frame - Self.memory.lowerBound / pageSize) * Self.structByteCount
        let page = position / pageSize
        let base = page < 8 ? 0x100_4000 + page * pageSize : 0x110_0000 + page * pageSize
        store(mark, at: base + position % pageSize + 48)
        store(flags, at: base + position % pageSize)
    }

    /// The memory as kernel B sees it.
    func kernelMemory(_ file: URL) throws -> KernelMemory {
        let header = ELFCoreFixture(headers: [
            .init(offset: pageSize, address: Self.memory.lowerBound, byteCount: Self.memory.byteCount)
        ]).bytes
        let core = header + [UInt8](repeating: 0, count: Int(pageSize) - header.count)
        try Data(core + bytes).write(to: file)
        return try KernelMemory(
            CoreFile(file.path), backupRanges: [Self.backup], pageMap: BackupPageMap(sources: Self.sources), info: info)
    }
}

/// A file that is gone when the test ends.
final class TemporaryFile {
    let url = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)")
    deinit { try? FileManager.default.removeItem(at: url) }
}
