// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Linux

@testable import Hibernation
@testable import MemoryImage

/// What is read from the partition. Checksums are made right first, as who wants to do harm would do; the targets named
/// `raw` take them as they are.
let imageTargets: [FuzzTarget] = [
    FuzzTarget("superblock") { bytes in
        var block = Array(bytes.prefix(Superblock.byteCount))
        block += [UInt8](repeating: 0, count: Superblock.byteCount - block.count)
        checkSuperblock(block)
        block.put(Superblock.magic, at: 0, limit: 8)
        block.put(xxh64(block, count: Superblock.byteCount - 8), at: Superblock.byteCount - 8)
        checkSuperblock(block)
    },
    FuzzTarget("boot-files") { bytes in
        var block = Array(bytes.prefix(blockSize))
        block += [UInt8](repeating: 0, count: blockSize - block.count)
        block.put(BootFilesHeader.magic, at: 0)
        attempt { () throws(Failure) in
            let header = try BootFilesHeader(decoding: block)
            require(header.parameters.utf8.count <= BootFilesHeader.parametersLimit, "the parameters fit")
            require(
                try BootFilesHeader(decoding: header.encoded()) == header,
                "a header of boot files comes back as it was written")
        }
    },
    // An index of version 1.
    FuzzTarget("index") { bytes in
        attempt { () throws(Failure) in
            let bytes = Array(bytes)
            let index = try ContiguousIndex(decoding: bytes, byteCount: UInt64(bytes.count))
            let entries = try ChunkIndex.entries(
                decoding: bytes, from: IndexHeader.byteCount,
                count: (bytes.count - IndexHeader.byteCount) / IndexHeader.rowByteCount, partition: imagePartition)
            require(UInt64(entries.count) == index.chunkCount, "an index has as many chunks as it says")
            require(index.pieceCount == (bytes.count == 128 ? 0 : (bytes.count - 1) / 65_536 + 1), "pieces cover it")
            checkEntries(entries)
        }
    },
    FuzzTarget("index-block") { bytes in
        attempt { () throws(Failure) in
            let block = try IndexBlock(decoding: Array(bytes), partition: imagePartition)
            checkEntries(block.entries)
            let again = try IndexBlock(decoding: block.encoded(), partition: imagePartition)
            require(
                again.entries == block.entries && again.number == block.number && again.imageUUID == block.imageUUID,
                "a block comes back as it was written")
        }
    },
    FuzzTarget("index-table") { bytes in
        attempt { () throws(Failure) in
            let table = try IndexTable(decoding: Array(bytes), partition: imagePartition)
            for row in table.rows {
                require(
                    row.extent.offset >= imagePartition.lowerBound
                        && row.extent.offset + row.extent.byteCount <= imagePartition.upperBound,
                    "a block lies within the partition")
                require((1...IndexBlock.maximumEntries).contains(row.chunks), "a block has chunks")
            }
            require(
                try IndexTable(decoding: table.encoded(), partition: imagePartition).rows == table.rows,
                "a table comes back as it was written")
        }
    },
    FuzzTarget("description") { bytes in
        attempt { () throws(Failure) in
            let description = try ImageDescription(decoding: ImageDescription.magic + Array(bytes))
            for ranges in [description.backupRanges, description.memoryRanges] {
                require(ranges.allSatisfy { !$0.isEmpty && $0.upperBound <= 1 << 52 }, "ranges are physical")
                require(ranges.byteCount == ranges.normalized().byteCount, "ranges are disjoint")
            }
            require(
                try ImageDescription(decoding: description.encoded()) == description,
                "a description comes back as it was written")
            let checks = ResumeChecks(description)
            try checks.requireOwnMemoryApart(
                [0x1000..<0x9f000, 0x10_0000..<0x800_0000], KernelCommandLine("mem=128M"))
        }
    },
    FuzzTarget("chunk-raw") { bytes in ChunkBench.shared.unpack(Array(bytes)) },
    FuzzTarget("chunk") { bytes in
        var chunk = Array(bytes)
        repairChunk(&chunk)
        ChunkBench.shared.unpack(chunk)
    },
    FuzzTarget("payload") { bytes in
        // The first byte chooses the codec, the second the size that is expected.
        guard bytes.count > 2 else { return }
        let size = Int(bytes[1]) * 4096
        let output = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
        defer { output.deallocate() }
        attempt { () throws(Failure) in
            try ChunkBench.shared.decompressor.decompress(
                UnsafeRawBufferPointer(rebasing: bytes[2...]), codecNumber: UInt32(bytes[0] % 5), into: output)
        }
    },
    FuzzTarget("report") { bytes in
        attempt { () throws(Failure) in
            // What is no UTF-8 is replaced, and may not fit any more; from then on nothing changes.
            let report = try Report(decoding: Report(decoding: Array(bytes)).encoded())
            require(try Report(decoding: report.encoded()) == report, "a report comes back as it was written")
        }
    },
]

private let imagePartition: DeviceRange = 1 << 20..<1 << 30

private func checkEntries(_ entries: [ChunkIndex.Entry]) {
    var end = imagePartition.lowerBound
    for entry in entries {
        require(
            entry.offset >= end && entry.offset + UInt64(entry.byteCount) <= imagePartition.upperBound,
            "a chunk lies within the partition, behind the one before it")
        require(Int(entry.byteCount) <= ChunkHeader.maximumByteCount, "a chunk fits its buffer")
        end = entry.offset + UInt64(entry.byteCount)
    }
}

private func checkSuperblock(_ block: [UInt8]) {
    guard let superblock = try? Superblock(decoding: block) else { return }
    require(superblock.encoded().count == Superblock.byteCount, "a superblock has its size")
    require(superblock.dataArea.lowerBound == Superblock.dataOffset, "the data area begins at 1 MiB")
    require(
        superblock.dataArea.isEmpty || superblock.dataArea.upperBound <= superblock.deviceByteCount,
        "the data area ends within the device")
    guard let again = try? Superblock(decoding: superblock.encoded()) else {
        return require(false, "a superblock that was read can be written")
    }
    require(
        again.generation == superblock.generation && again.state == superblock.state
            && again.descriptionExtent.offset == superblock.descriptionExtent.offset
            && again.counts == superblock.counts && again.version == superblock.version
            && again.features == superblock.features && again.refusals == superblock.refusals,
        "a superblock comes back as it was written")
}

/// Makes the magic, the image's UUID, the header's size and both checksums right.
private func repairChunk(_ chunk: inout [UInt8]) {
    guard chunk.count >= ChunkHeader.fixedByteCount else { return }
    let fields = chunk
    func number(_ offset: Int) -> Int { Int((try? fields.span.bytes.integer(at: offset, as: UInt32.self)) ?? 0) }
    let runs = min(number(36), ChunkHeader.maximumRuns, (chunk.count - ChunkHeader.fixedByteCount) / 16)
    let headerSize = ChunkHeader.byteCount(runs: runs)
    chunk.put(ChunkHeader.magic, at: 0)
    chunk.put(UInt32(headerSize), at: 4)
    chunk.put(UUID.zero.bytes, at: 8, limit: 16)
    chunk.put(UInt32(runs), at: 36)
    let start = number(44), end = start + number(48)
    if start >= headerSize, end <= chunk.count {
        chunk.put(chunk.withUnsafeBytes { xxh64(UnsafeRawBufferPointer(rebasing: $0[start..<end])) }, at: 64)
    }
    chunk.put(UInt64(0), at: 112)
    chunk.put(xxh64(chunk, count: headerSize), at: 112)
}

/// A reader whose partition holds an empty image, and memory that chunks are unpacked into.
private final class ChunkBench: @unchecked Sendable {
    static let shared = ChunkBench()
    let decompressor: Decompressor
    private let chunks: ChunkReader
    private let memory: UnsafeMutableRawBufferPointer
    /// What kernel C would let be written: 4 MiB from 1 GiB on.
    private static let allowed: PhysicalRange = 1 << 30..<(1 << 30) + 4 << 20

    private init() {
        let path = FileManager.default.temporaryDirectory.appending(
            path: "torpor-fuzz-\(ProcessInfo.processInfo.processIdentifier)"
        ).path
        defer { try? FileManager.default.removeItem(atPath: path) }
        do {
            try Data(count: Int(Superblock.minimumDeviceByteCount)).write(to: URL(filePath: path))
            try HibernationPartition.format(path, label: "", uuid: .zero, [])
            let partition = try HibernationPartition(path, .write)
            try ImageWriter(partition, imageUUID: .zero, codec: .none)
                .finish(ImageDescription(), state: .ready) { 0 }
            chunks = try ImageReader(HibernationPartition(path)).makeChunkReader()
            decompressor = try Decompressor()
        } catch { fatalError("\(error)") }
        memory = .allocate(byteCount: Int(Self.allowed.byteCount), alignment: 4096)
    }

    private struct Sink: PageSink {
        let memory: UnsafeMutableRawBufferPointer
        mutating func memory(for addresses: PhysicalRange) throws(Failure) -> UnsafeMutableRawBufferPointer? {
            require(addresses.byteCount <= ChunkReader.pieceByteCount, "no more is asked for than promised")
            guard [ChunkBench.allowed].covers(addresses) else { throw Failure("write", "memory", "it is not A's") }
            let start = Int(addresses.lowerBound - ChunkBench.allowed.lowerBound)
            return UnsafeMutableRawBufferPointer(rebasing: memory[start..<start + Int(addresses.byteCount)])
        }
        mutating func leaveAlone(_ addresses: PhysicalRange) { require(!addresses.isEmpty, "no run is empty") }
    }

    /// Unpacks a chunk as if the index named exactly it.
    func unpack(_ chunk: [UInt8]) {
        // A chunk that claims zeros for all of memory takes no longer than what is allowed: the sink refuses.
        chunk.withUnsafeBytes { bytes in
            attempt { () throws(Failure) in
                let header = try ChunkHeader(decoding: bytes)
                require(header.runs.count <= ChunkHeader.maximumRuns, "a header has no more runs than promised")
                guard bytes.count <= ChunkHeader.maximumByteCount else { return }
                let entry = ChunkIndex.Entry(
                    offset: 1 << 20, byteCount: UInt32(bytes.count), dataPages: UInt32(header.dataPages),
                    sequence: header.sequence, headerChecksum: header.checksum)
                var sink = Sink(memory: memory)
                let pages = try chunks.unpack(bytes, entry, into: &sink)
                require(pages.data == UInt64(header.dataPages), "the pages are counted")
            }
        }
    }
}
