// SPDX-License-Identifier: Apache-2.0
import Basics
import ELF
import Foundation
import Linux
import Machines
import MemoryImage
import PhysicalMemory

/// The memory of a real guest: an ELF core from QEMU's `dump-guest-memory`, and a copy in the memory of this process.
final class GuestCore {
    /// Pages that are contiguous in the guest's physical memory and in this process.
    struct Segment: Sendable {
        var firstFrame: UInt64
        nonisolated(unsafe) var bytes: UnsafeRawBufferPointer
    }

    let file: URL
    let segments: [Segment]
    private let memory: Mapping
    /// Bytes of all pages.
    let byteCount: Int
    /// Bytes of the non-zero pages.
    let dataByteCount: Int

    /// Runs a guest until its memory has these contents, and dumps the memory.
    init(_ lab: Lab, _ contents: Contents, from disk: ContentsDisk, mebibytes: Int) throws {
        // In memory, so that the benchmark measures no disk.
        file = URL(filePath: "/dev/shm/torpor-bench.core")
        var guest = try lab.kernelA(
            "core", disks: [try lab.disk("none", 1 << 20), disk.image],
            contents.script(memory: mebibytes) + "say dump\nsleep 300\n")
        guest.memory = "\(mebibytes)M"
        guest.dump = file
        _ = try lab.run(guest)
        try Self.moveProgramHeaders(of: file)

        let core = try File(file.path)
        let header = try Self.read(core, count: CoreReader.headerByteCount, at: 0)
        let table = try CoreReader(
            table: try Self.read(core, count: try CoreReader.tableByteCount(header: header), at: 0))
        // The dump also contains the firmware's memory.
        let ranges = table.segments.filter { $0.addresses.byteCount >= 1 << 20 }
        let memory = try Mapping(anonymous: ranges.reduce(0) { $0 + Int($1.addresses.byteCount) })
        var segments: [Segment] = []
        var start = 0
        for range in ranges {
            let bytes = UnsafeMutableRawBufferPointer(
                rebasing: memory.bytes[start..<start + Int(range.addresses.byteCount)])
            try core.read(into: bytes, at: range.fileOffset)
            segments.append(
                Segment(firstFrame: range.addresses.lowerBound / pageSize, bytes: UnsafeRawBufferPointer(bytes)))
            start += bytes.count
        }
        byteCount = start
        self.segments = segments
        let page = Int(pageSize)
        dataByteCount =
            stride(from: 0, to: start, by: page).count {
                !isZero(UnsafeRawBufferPointer(rebasing: memory.bytes[$0..<$0 + page]))
            } * page
        self.memory = memory
    }

    deinit { try? FileManager.default.removeItem(at: file) }

    /// Moves the program headers directly after the ELF header, because makedumpfile expects them there and ignores the
    /// offset in the header (elf_info.c, `get_elf64_phdr`). QEMU has unused section headers there, and writes a wrong size
    /// of the header (dump/dump.c).
    private static func moveProgramHeaders(of file: URL) throws {
        let handle = try FileHandle(forUpdating: file)
        var header = Array(try handle.read(upToCount: CoreReader.headerByteCount) ?? Data())
        let offset: UInt64 = try header.span.bytes.integer(at: 32)
        let count = Int(try header.span.bytes.integer(at: 56, as: UInt16.self))
        try handle.seek(toOffset: offset)
        let table = try handle.read(upToCount: count * 56) ?? Data()
        header.put(UInt64(CoreReader.headerByteCount), at: 32)
        header.put(UInt64(0), at: 40)
        header.put(UInt16(CoreReader.headerByteCount), at: 52)
        for field in [58, 60, 62] { header.put(UInt16(0), at: field) }
        try handle.seek(toOffset: 0)
        try handle.write(contentsOf: Data(header) + table)
        try handle.close()
    }

    /// Writes the non-zero pages, one after the other.
    func writeData(to file: URL) throws {
        try Data().write(to: file)
        let handle = try FileHandle(forWritingTo: file)
        let page = Int(pageSize)
        for segment in segments {
            var data = Data()
            for start in stride(from: 0, to: segment.bytes.count, by: page) {
                let bytes = UnsafeRawBufferPointer(rebasing: segment.bytes[start..<start + page])
                if !isZero(bytes) { data.append(contentsOf: bytes) }
                if data.count >= 16 << 20 {
                    try handle.write(contentsOf: data)
                    data.removeAll(keepingCapacity: true)
                }
            }
            try handle.write(contentsOf: data)
        }
        try handle.close()
    }

    /// The segments in pieces of 16 MiB, the save ranges of kernel B.
    var saveRanges: [Segment] {
        let size = 16 << 20
        return segments.flatMap { segment in
            stride(from: 0, to: segment.bytes.count, by: size).map { start in
                Segment(
                    firstFrame: segment.firstFrame + UInt64(start) / pageSize,
                    bytes: UnsafeRawBufferPointer(
                        rebasing: segment.bytes[start..<min(start + size, segment.bytes.count)]))
            }
        }
    }

    private static func read(_ file: borrowing File, count: Int, at offset: UInt64) throws -> [UInt8] {
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 8)
        defer { bytes.deallocate() }
        try file.read(into: bytes, at: offset)
        return Array(bytes)
    }
}
