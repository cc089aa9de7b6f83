// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation

@testable import MemoryImage

/// An index of version 1, which no code writes any more: a header and all entries.
func contiguousIndex(_ uuid: Basics.UUID, _ entries: some Collection<ChunkIndex.Entry>) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 128)
    bytes.put(Array("INDX".utf8), at: 0, limit: 4)
    bytes.put(UInt32(32), at: 4)
    bytes.put(uuid.bytes, at: 8, limit: 16)
    bytes.put(UInt64(entries.count), at: 24)
    bytes.reserveCapacity(bytes.count + entries.count * 32)
    for entry in entries {
        bytes.append(littleEndian: entry.offset)
        bytes.append(littleEndian: entry.byteCount)
        bytes.append(littleEndian: entry.dataPages)
        bytes.append(littleEndian: entry.sequence)
        bytes.append(littleEndian: entry.headerChecksum)
    }
    return bytes
}

extension PartitionFile {
    /// Makes the file a partition of version 1 that is `ready`, with a description and an index at the end of the data
    /// area.
    func writeVersionOne(
        _ entries: [ChunkIndex.Entry], byteCount: UInt64,
        _ change: (inout Superblock, inout [UInt8]) -> Void = { _, _ in }
    ) throws {
        try resize(0)
        try resize(byteCount)
        var superblock = Superblock(uuid: PartitionFile.uuid, label: "old", deviceByteCount: byteCount)
        superblock.version = 1
        superblock.state = .ready
        superblock.imageUUID = MemoryFixture.imageUUID
        superblock.counts.chunks = UInt64(entries.count)
        superblock.counts.dataPages = entries.reduce(0) { $0 + UInt64($1.dataPages) }
        var index = contiguousIndex(MemoryFixture.imageUUID, entries)
        let description = ImageDescription().encoded()
        let indexOffset = (byteCount - UInt64(index.count)) / 4096 * 4096
        superblock.indexExtent = .init(offset: indexOffset, byteCount: UInt64(index.count), checksum: xxh64(index))
        superblock.descriptionExtent = .init(
            offset: indexOffset - 4096 - UInt64(description.count) / 4096 * 4096, byteCount: UInt64(description.count),
            checksum: xxh64(description))
        change(&superblock, &index)
        let file = try FileHandle(forUpdating: URL(filePath: path))
        for (offset, bytes) in [
            (0, superblock.encoded()), (superblock.descriptionExtent.offset, description), (indexOffset, index),
        ] {
            try file.seek(toOffset: offset)
            try file.write(contentsOf: Data(bytes))
        }
        try file.close()
    }
}

extension HibernationPartition {
    /// Makes it `ready`, with an index and a description but without the chunks themselves.
    /// - Parameters:
    ///   - offset: the byte from which on index and description lie.
    ///   - capacity: entries in a block of the index; nil for the usual number.
    func writeIndex(
        _ entries: some Sequence<ChunkIndex.Entry>, from offset: UInt64, capacity: Int? = nil
    ) throws(Failure) {
        try beginImage(MemoryFixture.imageUUID, .none, .indexBlocks)
        var next = offset
        func reserve(_ count: Int) throws(Failure) -> UInt64 {
            defer { next += UInt64(roundedUpToBlock(count)) }
            return next
        }
        let index =
            if let capacity {
                IndexWriter(self, imageUUID: MemoryFixture.imageUUID, capacity: capacity)
            } else {
                IndexWriter(self, imageUUID: MemoryFixture.imageUUID)
            }
        var counts = ImageCounts()
        for entry in entries {
            try index.add(entry, reserve: reserve)
            counts.chunks += 1
            counts.dataPages += UInt64(entry.dataPages)
        }
        let description = ImageDescription().encoded()
        let descriptionExtent = try write(
            description, "the description", at: try reserve(description.count), limit: 4096)
        let extent = try index.finish(reserve: reserve)
        try update { superblock in
            superblock.state = .ready
            superblock.indexExtent = extent
            superblock.descriptionExtent = descriptionExtent
            superblock.counts.chunks = counts.chunks
            superblock.counts.dataPages = counts.dataPages
        }
    }
}

/// Entries of chunks that follow each other, each of one block.
func tinyEntries(_ count: Int) -> [ChunkIndex.Entry] {
    (0..<UInt64(count)).map {
        ChunkIndex.Entry(
            offset: 1 << 20 + $0 * 4096, byteCount: 4096, dataPages: UInt32($0 % 7), sequence: $0,
            headerChecksum: $0 &* 3)
    }
}
