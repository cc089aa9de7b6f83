// SPDX-License-Identifier: Apache-2.0
import Basics
import Fixtures
import Foundation
import Linux
import MemoryImage
import PhysicalMemory

@testable import Hibernation

/// Kernel A's memory as kernel B gets it: an ELF core file with one range of 4 MiB, page tables and a memory map in it.
struct CoreFixture {
    static let memory: PhysicalRange = 0x100_0000..<0x140_0000
    static let firstFrame = memory.lowerBound / pageSize
    static let pageCount = memory.byteCount / pageSize
    /// Kernel A's memory below N, and the frames to which it is swapped out: in reverse order, so that a wrong index shows.
    static let backup: PhysicalRange = 0x10_0000..<0x20_0000
    static let sources = (0..<256).map { firstFrame + 399 - $0 }
    private static let memoryMap: UInt64 = 0xffff_ea00_0000_0000

    var bytes: [UInt8]
    var notes: [(name: String, content: [UInt8])] = []

    /// Pages of zeros and of data, alone and in runs that are longer than a chunk.
    init() {
        bytes = [UInt8](repeating: 0, count: Int(Self.memory.byteCount))
        for page in 0..<Int(Self.pageCount) where page < 400 || page % 3 == 0 {
            for i in stride(from: 0, to: 4096, by: 64) {
                bytes[page * 4096 + i] = UInt8(truncatingIfNeeded: page + i / 64) | 1
            }
        }
        // Root, one table each, and a page of 2 MiB with the structures of all frames below 32 Ki.
        put(0x130_1000 | 1, table: 0x130_0000, index: Self.memoryMap >> 39)
        put(0x130_2000 | 1, table: 0x130_1000, index: Self.memoryMap >> 30)
        put(0x120_0000 | 0x81, table: 0x130_2000, index: Self.memoryMap >> 21)
        for frame in Self.firstFrame..<Self.firstFrame + Self.pageCount {
            store(UInt32.max, at: Self.structure(frame) + 48)
        }
    }

    private static func structure(_ frame: UInt64) -> UInt64 { 0x120_0000 + frame * 64 }

    private mutating func put(_ entry: UInt64, table: UInt64, index: UInt64) {
        store(entry, at: table + (index & 511) * 8)
    }

    mutating func store<T: FixedWidthInteger>(_ value: T, at address: UInt64) {
        bytes.put(value, at: Int(address - Self.memory.lowerBound))
    }

    /// Marks a block as free, its first page counted from the memory's first.
    mutating func markFree(_ page: UInt64, order: UInt64) { markFree(frame: Self.firstFrame + page, order: order) }

    /// Marks a block below N as free, its first page counted from the backup range's first.
    mutating func markFree(backedUp page: UInt64, order: UInt64) {
        markFree(frame: Self.backup.lowerBound / pageSize + page, order: order)
    }

    private mutating func markFree(frame: UInt64, order: UInt64) {
        store(UInt32(0xf000_0000), at: Self.structure(frame) + 48)
        store(order, at: Self.structure(frame) + 40)
    }

    /// Sets what the structure of a page, counted from the memory's first, has of type and flags.
    mutating func set(mark: UInt32, flags: UInt64, of page: UInt64) {
        store(mark, at: Self.structure(Self.firstFrame + page) + 48)
        store(flags, at: Self.structure(Self.firstFrame + page))
    }

    mutating func fill(_ page: UInt64, with byte: UInt8) {
        for i in 0..<4096 { bytes[Int(page) * 4096 + i] = byte }
    }

    /// The memory with some pages, counted from its first, full of another byte.
    func bytes(without pages: [Range<UInt64>], _ byte: UInt8) -> [UInt8] {
        var copy = self
        for page in pages.joined() { copy.fill(page, with: byte) }
        return copy.bytes
    }

    static let info = info(adding: [])

    static func info(adding lines: [String]) -> VMCoreInfo {
        let text = """
            SYMBOL(init_top_pgt)=ffffffff81300000
            NUMBER(phys_base)=0
            NUMBER(pgtable_l5_enabled)=0
            SYMBOL(vmemmap)=ffffea0000000000
            SIZE(page)=64
            OFFSET(page._mapcount)=48
            OFFSET(page.private)=40
            LENGTH(zone.free_area)=11
            NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-268435456
            """
        return VMCoreInfo(Array((text + lines.map { "\n" + $0 }.joined()).utf8))
    }

    /// Writes the core file: header, program headers, notes, and the memory from the second page of 64 KiB on.
    func write(to path: String) throws -> CoreFile {
        let noteBytes = notes.flatMap { ELFCoreFixture.note($0.name, $0.content) }
        var core = [UInt8](repeating: 0, count: 1 << 16)
        let header = ELFCoreFixture(headers: [
            .init(type: 4, offset: 4096, address: 0, byteCount: UInt64(noteBytes.count)),
            .init(offset: 1 << 16, address: Self.memory.lowerBound, byteCount: Self.memory.byteCount),
        ]).bytes
        core.put(header, at: 0, limit: header.count)
        core.put(noteBytes, at: 4096, limit: noteBytes.count)
        try Data(core + bytes).write(to: URL(filePath: path))
        return try CoreFile(path)
    }
}

/// A folder that is gone when the test ends.
final class TemporaryFolder {
    private let url = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)")

    init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }

    func path(_ name: String) -> String { url.appending(path: name).path }

    /// A formatted hibernation partition in a file.
    func partition(_ byteCount: Int = 16 << 20) throws -> HibernationPartition {
        let path = path("partition")
        try Data(count: byteCount).write(to: URL(filePath: path))
        try HibernationPartition.format(path, label: "nap", uuid: .zero, [])
        return try HibernationPartition(path, .write)
    }

    deinit { try? FileManager.default.removeItem(at: url) }
}

/// The fixture's memory, into which an image is put back.
struct MemorySink: PageSink {
    let memory: UnsafeMutableRawBufferPointer

    mutating func memory(for addresses: PhysicalRange) throws(Failure) -> UnsafeMutableRawBufferPointer? {
        guard [CoreFixture.memory].covers(addresses) else {
            throw Failure("write", "a page", "it is not in the memory")
        }
        let start = Int(addresses.lowerBound - CoreFixture.memory.lowerBound)
        return UnsafeMutableRawBufferPointer(rebasing: memory[start..<start + Int(addresses.byteCount)])
    }

    mutating func leaveAlone(_ addresses: PhysicalRange) {}
}
