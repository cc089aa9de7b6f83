// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Linux
import Machines
import MemoryImage

/// Packs and unpacks the memory of a real guest on this machine's CPUs, without a guest: with Torpor, makedumpfile, the
/// programs zstd and lz4, and cp.
struct PipelineBenchmark {
    /// The results of one way of packing; times in seconds.
    struct Row: Codable {
        var name: String
        var packSeconds: [Double] = []
        /// Empty if the program cannot unpack.
        var unpackSeconds: [Double] = []
        var storedBytes = 0
    }

    /// A folder in memory, so that the benchmark measures no disk.
    private static let folder = URL(filePath: "/dev/shm")
    private let core: GuestCore
    private let packed = folder.appending(path: "torpor-bench.img")
    private let raw = folder.appending(path: "torpor-bench.raw")
    private let other = folder.appending(path: "torpor-bench.other")
    private let unpacked = folder.appending(path: "torpor-bench.unpacked")

    static let codecs: [Codec] = [
        .none, .lz4, .zstd(level: -7), .zstd(level: -3), .zstd(level: -1), .zstd(level: 1), .zstd(level: 3),
        .zstd(level: 6), .xz(level: 0),
    ]
    private static let zstdLevels = ["-1", "-3", "--fast=3", "--fast=7"]
    /// The threads of makedumpfile end while the program ends. If pthread_exit(3) of glibc must load libgcc_s at that moment,
    /// it sometimes fails and aborts the program. So the library is preloaded.
    private static let makedumpfile = ["/usr/bin/env", "LD_PRELOAD=libgcc_s.so.1", "/usr/bin/makedumpfile"]
    /// Options for the compressions of Debian's makedumpfile: none, LZO, zlib; with one thread and with all.
    private static let dumpOptions: [[String]] = {
        let threads = ["--num-threads", "\(ProcessInfo.processInfo.activeProcessorCount)"]
        return [[], ["-l"], ["-c"]].flatMap { [$0, $0 + threads] }
    }()

    /// Bytes of the non-zero pages, which the MB/s count.
    var byteCount: Int { core.dataByteCount }

    init(_ core: GuestCore) throws {
        self.core = core
        try core.writeData(to: raw)
    }

    func removeFiles() {
        for file in [packed, raw, other, unpacked] { try? FileManager.default.removeItem(at: file) }
    }

    /// Runs all ways in turn, `times` times; a slow one once.
    func run(times: Int, _ log: (String) -> Void) throws -> [Row] {
        let ways = ways
        var rows = ways.map { Row(name: $0.name) }
        for _ in 0..<times {
            for (number, way) in ways.enumerated() {
                if let first = rows[number].packSeconds.first, first > 10 { continue }
                try? FileManager.default.removeItem(at: other)
                let result = try way.run()
                rows[number].packSeconds.append(result.pack)
                if let unpack = result.unpack { rows[number].unpackSeconds.append(unpack) }
                rows[number].storedBytes = result.stored
            }
        }
        for row in rows { log("bench: \(row.name): \(describe(row))") }
        return rows
    }

    private typealias Result = (pack: Double, unpack: Double?, stored: Int)

    private var ways: [(name: String, run: () throws -> Result)] {
        var ways: [(name: String, run: () throws -> Result)] = Self.codecs.map { codec in
            ("torpor \(codec)", { try torpor(codec) })
        }
        ways += Self.zstdLevels.map { level in
            (
                "zstd -T0 \(level)",
                {
                    try files(
                        pack: ["/usr/bin/zstd", "-qf", "-T0", level, raw.path, "-o", other.path],
                        unpack: ["/usr/bin/zstd", "-dqf", other.path, "-o", unpacked.path])
                }
            )
        }
        ways.append(
            (
                "lz4 -1 (one thread)",
                {
                    try files(
                        pack: ["/usr/bin/lz4", "-qf", "-1", raw.path, other.path],
                        unpack: ["/usr/bin/lz4", "-dqf", other.path, unpacked.path])
                }
            ))
        ways += Self.dumpOptions.map { options in
            (
                (["makedumpfile -d 1"] + options).joined(separator: " "),
                {
                    try files(
                        pack: Self.makedumpfile + ["--message-level", "0", "-d", "1"] + options
                            + [core.file.path, other.path], unpack: nil)
                }
            )
        }
        ways.append(
            (
                "cp",
                {
                    try files(pack: ["/bin/cp", raw.path, other.path], unpack: ["/bin/cp", other.path, unpacked.path])
                }
            ))
        return ways
    }

    private func describe(_ row: Row) -> String {
        func speed(_ seconds: [Double]) -> String {
            seconds.isEmpty ? "-" : String(format: "%.0f MB/s", Double(byteCount) / median(seconds) / 1e6)
        }
        let size = String(format: "%.1f MB", Double(row.storedBytes) / 1e6)
        return "\(speed(row.packSeconds)) packed, \(speed(row.unpackSeconds)) unpacked, \(size)"
    }

    private func files(pack: [String], unpack: [String]?) throws -> Result {
        let packSeconds = try seconds { try Tool.run(pack) }
        let stored = try Data(contentsOf: other, options: .alwaysMapped).count
        let unpackSeconds = try unpack.map { command in try seconds { try Tool.run(command) } }
        return (packSeconds, unpackSeconds, stored)
    }

    private func torpor(_ codec: Codec) throws -> Result {
        try? FileManager.default.removeItem(at: packed)
        try Data().write(to: packed)
        let file = try FileHandle(forWritingTo: packed)
        try file.truncate(atOffset: UInt64(core.byteCount) + 64 << 20)
        try file.close()
        try HibernationPartition.format(packed.path, label: "", uuid: .zero, [])
        let partition = try HibernationPartition(packed.path, .write)
        let workerCount = availableProcessorCount() * 2
        let pack = try seconds {
            let writer = try ImageWriter(partition, imageUUID: .zero, codec: codec)
            let ranges = WorkQueue(core.saveRanges)
            try Workers(count: workerCount).run { () throws(Failure) in
                let builder = try writer.makeChunkBuilder()
                while let range = ranges.take() {
                    try builder.addPages(firstFrame: range.firstFrame, range.bytes) { _, _ in true }
                }
                try builder.flush()
            }
            try writer.finish(ImageDescription(), state: .snapshot) { 0 }
        }
        let memory = try Destination(core)
        let unpack = try seconds {
            let reader = try ImageReader(HibernationPartition(packed.path))
            let queue = ChunkQueue(reader)
            try Workers(count: workerCount).run { () throws(Failure) in
                let chunks = try reader.makeChunkReader()
                var sink = memory.sink
                while let entry = try queue.take() { _ = try chunks.read(entry, into: &sink) }
            }
        }
        guard memory.holdsTheSame(as: core) else {
            throw Machine.Failed(description: "\(codec): the unpacked pages differ from the packed ones")
        }
        return (pack, unpack, Int(partition.superblock.counts.storedBytes - Superblock.dataOffset))
    }

    private func seconds(_ work: () throws -> Void) rethrows -> Double {
        let start = Date()
        try work()
        return Date().timeIntervalSince(start)
    }
}

/// Memory into which pages are unpacked, each at its physical address. Pages that were not zero in the guest are allocated
/// and not zero before, as memory may be after power-on; the other pages are untouched.
private struct Destination: ~Copyable {
    private let memory: Mapping
    let sink: Sink

    struct Sink: PageSink, Sendable {
        nonisolated(unsafe) let bytes: UnsafeMutableRawBufferPointer
        mutating func memory(for addresses: PhysicalRange) throws(Failure) -> UnsafeMutableRawBufferPointer? {
            UnsafeMutableRawBufferPointer(rebasing: bytes[Int(addresses.lowerBound)..<Int(addresses.upperBound)])
        }
        mutating func leaveAlone(_ addresses: PhysicalRange) {}
    }

    init(_ core: GuestCore) throws {
        let end = core.segments.map { Int($0.firstFrame * pageSize) + $0.bytes.count }.max() ?? 0
        memory = try Mapping(anonymous: end)
        for segment in core.segments {
            let start = Int(segment.firstFrame * pageSize)
            for offset in stride(from: 0, to: segment.bytes.count, by: Int(pageSize))
            where !isZero(UnsafeRawBufferPointer(rebasing: segment.bytes[offset..<offset + Int(pageSize)])) {
                memory.bytes[start + offset] = 1
            }
        }
        sink = Sink(bytes: memory.bytes)
    }

    func holdsTheSame(as core: GuestCore) -> Bool {
        core.segments.allSatisfy { segment in
            let start = Int(segment.firstFrame * pageSize)
            guard let one = memory.bytes.baseAddress?.advanced(by: start), let other = segment.bytes.baseAddress else {
                return false
            }
            return memcmp(one, other, segment.bytes.count) == 0
        }
    }
}
