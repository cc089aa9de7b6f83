// SPDX-License-Identifier: Apache-2.0
import Basics

@testable import MemoryImage

/// A change to the small image that its readers have to refuse, and with what words.
public struct Forgery: Sendable, CustomStringConvertible {
    public let description: String
    /// What `ImageReader`, `verify` and the restoring pipeline say.
    public let verifying: String
    public let restoring: String
    public let make: @Sendable (ForgedImage) throws -> Void

    private init(
        _ name: String, _ reason: String, restoring: String? = nil,
        _ make: @escaping @Sendable (ForgedImage) throws -> Void
    ) {
        description = name
        verifying = reason
        self.restoring = restoring ?? reason
        self.make = make
    }

    private static let otherUUID = UUID("bbbbbbbb-89ab-4cde-8f01-23456789abcd") ?? .zero
    private static let checksum = "its checksum is wrong"
    private static let alien = "it belongs to another image"
    private static let notNamed = "it is not the chunk that the index names"
    private static let notMemory = "do not match kernel A's memory map"

    // MARK: Changed and not signed for

    /// At each level a byte is changed and its checksum is not; then a checksum itself is.
    private static let unsealed: [Forgery] = [
        Forgery("payload", checksum) { try $0.changeChunk(0, leaving: .payload) { $0[200] ^= 1 } },
        Forgery("payload stored as it is", checksum) { try $0.changeChunk(4, leaving: .payload) { $0[5000] ^= 1 } },
        Forgery("header", checksum) { try $0.changeChunk(0, leaving: .header) { $0[128] ^= 1 } },
        Forgery("entry", notNamed) { try $0.changeEntry(0) { $0.headerChecksum ^= 1 } },
        Forgery("another header", notNamed) {
            try $0.changeHeader(2, leaving: .entry) { $0.runs[0].firstFrame += 1 }
        },
        Forgery("index block", checksum) { try $0.changeBlock(1, leaving: .block) { $0[140] ^= 1 } },
        Forgery("index block's padding", checksum) { image in
            let extent = try image.rows()[0].extent
            image.changeBytes(at: extent.offset + extent.byteCount) { $0 = 1 }
        },
        Forgery("index table", checksum) { try $0.changeTable(leaving: .table) { $0[140] ^= 1 } },
        Forgery("description", checksum) { $0.changeDescription(leaving: .description) { $0[30] ^= 1 } },
        // The other slot still says that the image is being written.
        Forgery("superblock", "it does not lie within the partition") {
            $0.changeSuperblock(leaving: .superblock) { $0.counts.chunks += 1 }
        },
    ]

    // MARK: Chunks

    private static let chunks: [Forgery] = [
        Forgery("chunk of another image", alien) { try $0.changeHeader(1) { $0.imageUUID = otherUUID } },
        Forgery("no chunk", "its magic is missing") { try $0.changeChunk(1) { $0[0] ^= 1 } },
        Forgery("length of a header", "its length is wrong") { try $0.changeChunk(1) { $0.put(UInt32(4), at: 4) } },
        Forgery("too many runs", "its length is wrong") { try $0.changeChunk(1) { $0.put(UInt32(497), at: 36) } },
        Forgery("payload behind the end", "its lengths do not fit it") {
            try $0.changeChunk(1) { $0.put(UInt32(1 << 20), at: 48) }
        },
        Forgery("payload within the header", "its lengths do not fit it") {
            try $0.changeChunk(1) { $0.put(UInt32(64), at: 44) }
        },
        Forgery("run of an unknown kind", "a run is of an unknown kind") {
            try $0.changeChunk(2) { $0.put(UInt32(4), at: 140) }
        },
        Forgery("run of no pages", "a run lies beyond physical memory") {
            try $0.changeChunk(2) { $0.put(UInt32(0), at: 136) }
        },
        Forgery("run beyond physical memory", "a run lies beyond physical memory") {
            try $0.changeHeader(2) { $0.runs[0].firstFrame = 1 << 40 }
        },
        Forgery("pages in a run", "its counts differ from its runs") {
            try $0.changeChunk(2) { $0.put(UInt32(31), at: 136) }
        },
        Forgery("unknown codec", "its codec 9 is unknown") { try $0.changeHeader(1) { $0.codecNumber = 9 } },
        Forgery("another codec", "the image is damaged") { try $0.changeHeader(1) { $0.codecNumber = 3 } },
        Forgery("payload that does not decode", "the image is damaged") { try $0.changeChunk(0) { $0[192] ^= 0xff } },
        Forgery("payload of fewer pages", "bytes, but its header says") { image in
            try image.changeHeader(0) {
                $0.runs[0].count = 65; $0.dataPages = 65
            }
            try image.changeEntry(0) { $0.dataPages = 65 }
            try image.changeTable { $0.put(UInt64(97), at: 128 + 16) }
            // No more pages than before, so that nothing else is wrong.
            try image.changeHeader(1) {
                $0.runs[1].count -= 1
                $0.zeroPages -= 1
            }
            image.changeSuperblock {
                $0.counts.dataPages += 1
                $0.counts.zeroPages -= 1
            }
        },
        Forgery("padding behind the header", "its padding is not zero") { try $0.changeChunk(0) { $0[150] = 1 } },
        Forgery("padding behind the payload", "its padding is not zero") {
            try $0.changeChunk(0) { $0[$0.count - 1] = 1 }
        },
    ]

    // MARK: Index

    private static let index: [Forgery] = [
        Forgery("another number of a chunk", notNamed) { try $0.changeEntry(3) { $0.sequence += 1 } },
        Forgery("entries of two chunks exchanged", "behind the one before it") { image in
            let entries = try image.entries()
            try image.changeEntry(0) { $0 = entries[1] }
        },
        Forgery("a longer chunk", "behind the one before it") { try $0.changeEntry(0) { $0.byteCount += 4096 } },
        Forgery("a longer last chunk of a block", "it is not the chunk that the index names") {
            try $0.changeEntry(1) { $0.byteCount += 4096 }
        },
        Forgery("pages exchanged", notNamed) { image in
            try image.changeEntry(0) { $0.dataPages -= 1 }
            try image.changeEntry(1) { $0.dataPages += 1 }
        },
        Forgery("a chunk outside", "does not lie within the partition") {
            try $0.changeEntry(4) { $0.offset = 3 << 20 }
        },
        Forgery("a chunk of more pages than there can be", "more pages than a chunk holds") {
            try $0.changeEntry(4) { $0.dataPages = 257 }
        },
        Forgery("block of another image", alien) { try $0.changeBlock(0) { $0[8] ^= 1 } },
        Forgery("blocks exchanged", "it is not the one that the table names") {
            try $0.changeBlock(0) { $0.put(UInt64(1), at: 32) }
        },
        Forgery("a block's pages", "it is not the one that the table names") { image in
            try image.changeTable { $0.put(UInt64(95), at: 128 + 16) }
            image.changeSuperblock { $0.counts.dataPages -= 1 }
        },
        Forgery("no block", "it is not an index") { try $0.changeBlock(0) { $0[0] ^= 1 } },
        Forgery("a block's length", "its length is not that of 3 chunks") {
            try $0.changeBlock(0) { $0.put(UInt64(3), at: 24) }
        },
        Forgery("table of another image", alien) { try $0.changeTable { $0[8] ^= 1 } },
        Forgery("no table", "it is not an index") { try $0.changeTable { $0[0] ^= 1 } },
        Forgery("a table's length", "its length is not that of 2 blocks") {
            try $0.changeTable { $0.put(UInt64(2), at: 24) }
        },
        Forgery("a block outside", "its block 2 does not lie within the partition") {
            try $0.changeTable { $0.put(UInt64(3 << 20), at: 128 + 64) }
        },
        Forgery("a block twice", "behind the one before it") { image in
            let first = try image.rows()[0].extent.offset
            try image.changeTable { $0.put(first, at: 128 + 32) }
        },
        Forgery("a block's count", "other counts than a block can have") {
            try $0.changeTable { $0.put(UInt32(1), at: 128 + 12) }
        },
        Forgery("a block's pages, too many", "other counts than a block can have") {
            try $0.changeTable { $0.put(UInt64(513), at: 128 + 16) }
        },
    ]

    // MARK: Superblock and description

    private static let claims: [Forgery] = [
        Forgery("UUID of the image", alien) { $0.changeSuperblock { $0.imageUUID = otherUUID } },
        Forgery("count of chunks", alien) { $0.changeSuperblock { $0.counts.chunks -= 1 } },
        Forgery("count of data", alien) { $0.changeSuperblock { $0.counts.dataPages += 1 } },
        Forgery("count of zeros", "not as many as its superblock says", restoring: notMemory) {
            $0.changeSuperblock { $0.counts.zeroPages -= 1 }
        },
        Forgery("count of free pages", "not as many as its superblock says", restoring: notMemory) {
            $0.changeSuperblock { $0.counts.freePages += 1 }
        },
        Forgery("an index of version 1", "it is not an index") { $0.changeSuperblock { $0.features = [] } },
        Forgery("features", "it needs features that this torpor lacks (bits 5, 63)") {
            $0.changeSuperblock { $0.features.formUnion(.init(rawValue: 1 << 63 | 1 << 5)) }
        },
        Forgery("index outside", "it does not lie within the partition") {
            $0.changeSuperblock { $0.indexExtent.offset = 3 << 20 }
        },
        Forgery("description outside", "it does not lie within the partition") {
            $0.changeSuperblock { $0.descriptionExtent.offset = 4096 }
        },
        Forgery("no description", "it is not a description") { $0.changeDescription { $0[0] ^= 1 } },
        Forgery("a field that must be known", "it needs a newer torpor") {
            // The session's tag, number 1, becomes 4711.
            $0.changeDescription { $0.put(UInt32(4711) | 1 << 31, at: 8) }
        },
    ]

    // MARK: Pages

    /// Everything is right but which pages they are.
    private static let pages: [Forgery] = [
        Forgery("a page of data twice, another not at all", "are not those of kernel A's memory", restoring: notMemory)
        { try $0.changeHeader(4) { $0.runs[0].firstFrame -= 1 } },
        Forgery("a page of zeros twice, another not at all", "are not those of kernel A's memory", restoring: notMemory)
        { try $0.changeHeader(1) { $0.runs[1].firstFrame -= 1 } },
        Forgery("free pages elsewhere", "are not those of kernel A's memory", restoring: notMemory) {
            try $0.changeHeader(2) { $0.runs[0].firstFrame = 5 }
        },
        Forgery(
            "data outside", "are not those of kernel A's memory", restoring: "it is not memory that kernel A saved"
        ) { try $0.changeHeader(4) { $0.runs[0].firstFrame += 1 } },
        Forgery(
            "zeros outside", "are not those of kernel A's memory", restoring: "it is not memory that kernel A saved"
        ) { try $0.changeHeader(1) { $0.runs[1].firstFrame = 1 } },
        Forgery(
            "more zeros than memory", "are not those of kernel A's memory",
            restoring: "the image has more pages than kernel A"
        ) { image in
            try image.changeHeader(1) {
                $0.runs[1].count += 1; $0.zeroPages += 1
            }
            image.changeSuperblock { $0.counts.zeroPages += 1 }
        },
        Forgery(
            "more free pages than memory", "are not those of kernel A's memory",
            restoring: "the image has more pages than kernel A"
        ) { image in
            try image.changeHeader(2) {
                $0.runs[0].count = .max; $0.zeroPages = UInt64(UInt32.max)
            }
            image.changeSuperblock {
                $0.counts.zeroPages += UInt64(UInt32.max) - 32
                $0.counts.freePages += UInt64(UInt32.max) - 32
            }
        },
        Forgery("fewer zeros than memory", "are not those of kernel A's memory", restoring: notMemory) { image in
            try image.changeHeader(1) {
                $0.runs[1].count -= 1; $0.zeroPages -= 1
            }
            image.changeSuperblock { $0.counts.zeroPages -= 1 }
        },
    ]

    public static let all: [Forgery] = unsealed + chunks + index + claims + pages
}
