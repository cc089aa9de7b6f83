// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation

@testable import MemoryImage

/// A complete image of which a test can change any part. All checksums above that part are computed again, as somebody
/// would do who knows the format.
public final class ForgedImage {
    /// A checksum that a change can leave as it was.
    public enum Seal {
        case payload, header, entry, block, table, description, superblock
    }

    private var bytes: [UInt8]
    private var changed: [Range<Int>] = []
    private let slot: Int
    public private(set) var superblock: Superblock

    public convenience init(_ path: String) throws {
        self.init(bytes: Array(try Data(contentsOf: URL(filePath: path))), try HibernationPartition(path).superblock)
    }

    /// - Parameter bytes: the whole partition.
    public init(bytes: [UInt8], _ superblock: Superblock) {
        self.bytes = bytes
        self.superblock = superblock
        // Slots are written in turn, generation 1 into the first.
        slot = Int(Superblock.slotOffsets[Int((superblock.generation - 1) % 2)])
    }

    /// The changed parts, with their new bytes.
    public var changes: [(offset: Int, bytes: [UInt8])] { changed.map { ($0.lowerBound, Array(bytes[$0])) } }

    public func write(to path: String) throws { try Data(bytes).write(to: URL(filePath: path)) }

    // MARK: What is there

    func rows() throws -> [IndexTable.Row] {
        try IndexTable(decoding: bytes(of: superblock.indexExtent), partition: superblock.dataArea).rows
    }

    func block(_ number: Int) throws -> IndexBlock {
        try IndexBlock(decoding: bytes(of: rows()[number].extent), partition: superblock.dataArea)
    }

    /// All chunks, in the order of the index.
    public func entries() throws -> [ChunkIndex.Entry] {
        try rows().indices.flatMap { try block($0).entries }
    }

    /// The index block with a chunk, and the number of its entry.
    private func place(of chunk: Int) throws -> (block: Int, entry: Int) {
        var rest = chunk
        for number in try rows().indices {
            let count = try block(number).entries.count
            if rest < count { return (number, rest) }
            rest -= count
        }
        throw Failure("find", "chunk \(chunk)", "there are not as many")
    }

    private func bytes(of extent: Superblock.Extent) -> [UInt8] {
        Array(bytes[Int(extent.offset)..<Int(extent.offset + extent.byteCount)])
    }

    private func put(_ part: [UInt8], at offset: UInt64) {
        let range = Int(offset)..<Int(offset) + part.count
        bytes.replaceSubrange(range, with: part)
        changed.append(range)
    }

    // MARK: Changes

    /// Changes the bytes of a chunk with its padding. Its size stays the same.
    public func changeChunk(_ number: Int, leaving wrong: Seal? = nil, _ change: (inout [UInt8]) -> Void) throws {
        let entry = try entries()[number]
        let extent = Superblock.Extent(offset: entry.offset, byteCount: UInt64(entry.byteCount), checksum: 0)
        var chunk = bytes(of: extent)
        change(&chunk)
        func field(_ offset: Int) throws -> Int { Int(try chunk.span.bytes.integer(at: offset, as: UInt32.self)) }
        let payload = try field(44)..<(try field(44) + field(48))
        if wrong != .payload, payload.upperBound <= chunk.count {
            chunk.put(xxh64(Array(chunk[payload])), at: 64)
        }
        if wrong != .header {
            chunk.put(UInt64(0), at: 112)
            chunk.put(xxh64(chunk, count: min(chunk.count, try field(4))), at: 112)
        }
        put(chunk, at: entry.offset)
        guard wrong != .entry else { return }
        let sum: UInt64 = try chunk.span.bytes.integer(at: 112)
        try changeEntry(number, leaving: wrong) { $0.headerChecksum = sum }
    }

    /// Changes the header of a chunk.
    public func changeHeader(_ number: Int, leaving wrong: Seal? = nil, _ change: (inout ChunkHeader) -> Void) throws {
        try changeChunk(number, leaving: wrong) { chunk in
            guard var header = chunk.withUnsafeBytes({ try? ChunkHeader(decoding: $0) }) else { return }
            change(&header)
            chunk.put(header.encoded().bytes, at: 0, limit: chunk.count)
        }
    }

    /// Changes the entry of a chunk.
    public func changeEntry(
        _ number: Int, leaving wrong: Seal? = nil, _ change: (inout ChunkIndex.Entry) -> Void
    ) throws {
        let place = try place(of: number)
        try changeBlock(place.block, leaving: wrong) { bytes in
            guard var block = try? IndexBlock(decoding: bytes, partition: superblock.dataArea) else { return }
            change(&block.entries[place.entry])
            bytes = block.encoded()
        }
    }

    /// Changes the bytes of an index block. Its size stays the same.
    public func changeBlock(_ number: Int, leaving wrong: Seal? = nil, _ change: (inout [UInt8]) -> Void) throws {
        let row = try rows()[number]
        var block = bytes(of: row.extent)
        change(&block)
        put(block, at: row.extent.offset)
        guard wrong != .block else { return }
        try changeTable(leaving: wrong) {
            $0.put(xxh64(block), at: IndexHeader.offset(ofRow: number) + 24)
        }
    }

    /// Changes the bytes of the table. Its size stays the same.
    public func changeTable(leaving wrong: Seal? = nil, _ change: (inout [UInt8]) -> Void) throws {
        var table = bytes(of: superblock.indexExtent)
        change(&table)
        put(table, at: superblock.indexExtent.offset)
        guard wrong != .table else { return }
        changeSuperblock(leaving: wrong) { $0.indexExtent.checksum = xxh64(table) }
    }

    /// Changes the bytes of the description. Its size stays the same.
    public func changeDescription(leaving wrong: Seal? = nil, _ change: (inout [UInt8]) -> Void) {
        var description = bytes(of: superblock.descriptionExtent)
        change(&description)
        put(description, at: superblock.descriptionExtent.offset)
        guard wrong != .description else { return }
        changeSuperblock(leaving: wrong) { $0.descriptionExtent.checksum = xxh64(description) }
    }

    public func changeSuperblock(leaving wrong: Seal? = nil, _ change: (inout Superblock) -> Void) {
        change(&superblock)
        let sum = Array(bytes[slot + 4088..<slot + 4096])
        put(superblock.encoded(), at: UInt64(slot))
        if wrong == .superblock { put(sum, at: UInt64(slot + 4088)) }
    }

    /// Changes any bytes, and no checksum.
    public func changeBytes(at offset: UInt64, _ change: (inout UInt8) -> Void) { change(&bytes[Int(offset)]) }
}
