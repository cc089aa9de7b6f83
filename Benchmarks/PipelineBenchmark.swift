import Basics
import Foundation
import Linux
import Machines
import MemoryImage

/// A real guest's pages, packed and unpacked on this machine's CPUs without a guest, and by zstd's own program.
struct PipelineBenchmark {
    /// One way of packing, and what it took; times in seconds.
    struct Row: Codable {
        var name: String
        var packSeconds: [Double]
        var unpackSeconds: [Double]
        var storedBytes: Int
    }

    /// Where files are kept in memory, so that no disk is measured.
    private static let folder = URL(filePath: "/dev/shm")
    private let pages: [UInt8]
    private let packed = folder.appending(path: "torpor-bench.img")
    private let raw = folder.appending(path: "torpor-bench.raw")
    private let compressed = folder.appending(path: "torpor-bench.zst")

    static let codecs: [Codec] = [
        .none, .zstd(level: -7), .zstd(level: -3), .zstd(level: -1), .zstd(level: 1), .zstd(level: 3), .zstd(level: 6),
        .xz(level: 0),
    ]

    var byteCount: Int { pages.count }

    /// - Parameter image: a hibernation partition with an image of a guest.
    init(image: URL) throws {
        var sink = Pages()
        let reader = try ImageReader(HibernationPartition(image.path))
        let chunks = try reader.makeChunkReader()
        while let entry = reader.takeEntry() { _ = try chunks.read(entry, into: &sink) }
        sink.finish()
        pages = sink.bytes
        try Data(pages).write(to: raw)
    }

    func removeFiles() { for file in [packed, raw, compressed] { try? FileManager.default.removeItem(at: file) } }

    /// Runs all ways in turn, as often as told.
    func run(times: Int, _ tell: (String) -> Void) throws -> [Row] {
        var rows = Self.codecs.map { Row(name: "torpor \($0)", packSeconds: [], unpackSeconds: [], storedBytes: 0) }
        let levels = ["-1", "-3", "--fast=3"]
        rows += levels.map { Row(name: "zstd -T0 \($0)", packSeconds: [], unpackSeconds: [], storedBytes: 0) }
        rows.append(Row(name: "cp", packSeconds: [], unpackSeconds: [], storedBytes: 0))
        for _ in 0..<times {
            for (number, codec) in Self.codecs.enumerated() {
                if case .xz = codec, !rows[number].packSeconds.isEmpty { continue }
                let (pack, unpack, stored) = try torpor(codec)
                rows[number].packSeconds.append(pack)
                rows[number].unpackSeconds.append(unpack)
                rows[number].storedBytes = stored
            }
            for (number, level) in levels.enumerated() {
                let row = Self.codecs.count + number
                rows[row].packSeconds.append(
                    try seconds { try Tool.run("/usr/bin/zstd", "-qf", "-T0", level, raw.path, "-o", compressed.path) })
                rows[row].unpackSeconds.append(
                    try seconds { try Tool.run("/usr/bin/zstd", "-dqf", compressed.path, "-o", packed.path) })
                rows[row].storedBytes = try Data(contentsOf: compressed, options: .alwaysMapped).count
            }
            rows[rows.count - 1].packSeconds.append(try seconds { try Tool.run("/bin/cp", raw.path, packed.path) })
            rows[rows.count - 1].unpackSeconds.append(try seconds { try Tool.run("/bin/cp", raw.path, packed.path) })
            rows[rows.count - 1].storedBytes = byteCount
        }
        for row in rows { tell("bench: \(row.name): \(describe(row))") }
        return rows
    }

    private func describe(_ row: Row) -> String {
        String(
            format: "%.0f MB/s packed, %.0f MB/s unpacked, %.1f MB", Double(byteCount) / median(row.packSeconds) / 1e6,
            Double(byteCount) / median(row.unpackSeconds) / 1e6, Double(row.storedBytes) / 1e6)
    }

    private func torpor(_ codec: Codec) throws -> (pack: Double, unpack: Double, stored: Int) {
        try? FileManager.default.removeItem(at: packed)
        try Data().write(to: packed)
        let file = try FileHandle(forWritingTo: packed)
        try file.truncate(atOffset: UInt64(byteCount) + 64 << 20)
        try file.close()
        try HibernationPartition.format(packed.path, label: "", uuid: .zero, [])
        let partition = try HibernationPartition(packed.path, .write)
        let pack = try seconds {
            let writer = try ImageWriter(partition, imageUUID: .zero, codec: codec, expectedChunks: 1024)
            // Windows as kernel B takes them.
            let windows = WorkList(Array(stride(from: 0, to: byteCount, by: 16 << 20)))
            try pages.withUnsafeBytes { bytes in
                nonisolated(unsafe) let bytes = bytes
                try Workers().run { () throws(Failure) in
                    let builder = try writer.makeChunkBuilder()
                    while let start = windows.take() {
                        let window = UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + 16 << 20, bytes.count)])
                        try builder.addData(firstFrame: UInt64(start) / pageSize, window)
                    }
                    try builder.flush()
                }
            }
            try writer.finish(ImageDescription(), state: .snapshot) { 0 }
        }
        let memory = try Mapping(anonymous: byteCount)
        for offset in stride(from: 0, to: byteCount, by: Int(pageSize)) { memory.bytes[offset] = 1 }
        nonisolated(unsafe) let bytes = memory.bytes
        let unpack = try seconds {
            let reader = try ImageReader(HibernationPartition(packed.path))
            try Workers().run { () throws(Failure) in
                let chunks = try reader.makeChunkReader()
                var sink = Destination(bytes: bytes)
                while let entry = reader.takeEntry() { _ = try chunks.read(entry, into: &sink) }
            }
        }
        guard memory.bytes.elementsEqual(pages) else {
            throw Machine.Failed(description: "\(codec): other pages came out than went in")
        }
        return (pack, unpack, Int(partition.superblock.counts.storedBytes - Superblock.dataOffset))
    }

    private func seconds(_ work: () throws -> Void) rethrows -> Double {
        let start = Date()
        try work()
        return Date().timeIntervalSince(start)
    }
}

/// Memory that pages are unpacked into, each at its physical address.
private struct Destination: PageSink {
    let bytes: UnsafeMutableRawBufferPointer
    mutating func memory(for addresses: AddressRange) throws(Failure) -> UnsafeMutableRawBufferPointer? {
        UnsafeMutableRawBufferPointer(rebasing: bytes[Int(addresses.lowerBound)..<Int(addresses.upperBound)])
    }
}

/// The pages of an image that are not zero, one behind the other.
private struct Pages: PageSink {
    private(set) var bytes: [UInt8] = []
    private var pending: UnsafeMutableRawBufferPointer?

    mutating func memory(for addresses: AddressRange) throws(Failure) -> UnsafeMutableRawBufferPointer? {
        finish()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(addresses.byteCount), alignment: 4096)
        buffer.initializeMemory(as: UInt8.self, repeating: 0)
        pending = buffer
        return buffer
    }

    mutating func finish() {
        guard let buffer = pending else { return }
        if !isZero(UnsafeRawBufferPointer(buffer)) { bytes.append(contentsOf: buffer) }
        buffer.deallocate()
        pending = nil
    }
}
