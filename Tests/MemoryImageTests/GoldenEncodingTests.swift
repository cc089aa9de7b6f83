// SPDX-License-Identifier: Apache-2.0
import Basics
import Fixtures
import Foundation
import Testing

@testable import MemoryImage

/// The format has not changed by one bit since earlier versions wrote the golden images.
@Suite struct GoldenEncodingTests {
    private struct Image {
        let bytes: [UInt8]
        var superblock: Superblock

        init(_ bytes: [UInt8]) throws {
            self.bytes = bytes
            let slots = Superblock.slotOffsets.map { Array(bytes[Int($0)..<Int($0) + Superblock.byteCount]) }
            let verdict = PartitionVerdict("golden", slots: slots, content: nil, byteCount: UInt64(bytes.count))
            superblock = try #require(verdict.superblock)
        }

        func part(_ offset: UInt64, _ byteCount: UInt64) -> [UInt8] {
            Array(bytes[Int(offset)..<Int(offset + byteCount)])
        }

        func part(_ extent: Superblock.Extent) -> [UInt8] { part(extent.offset, extent.byteCount) }
    }

    /// Every structure is decoded and encoded again.
    @Test(arguments: GoldenFiles.names) func everyStructureComesBackBitForBit(file: String) throws {
        let image = try Image(GoldenFiles.bytes(of: file))
        for offset in Superblock.slotOffsets {
            let slot = image.part(offset, UInt64(Superblock.byteCount))
            if slot.allSatisfy({ $0 == 0 }) { continue }
            #expect(try Superblock(decoding: slot).encoded() == slot, "the slot at \(offset)")
        }
        let superblock = image.superblock
        guard [.ready, .attempted, .consumed, .snapshot].contains(superblock.state) else { return }
        for entry in try expectIndex(image) {
            let chunk = image.part(entry.offset, UInt64(entry.byteCount))
            let header = try chunk.withUnsafeBytes { try ChunkHeader(decoding: $0) }
            let encoded = header.encoded()
            #expect(chunk.starts(with: encoded.bytes) && encoded.checksum == entry.headerChecksum)
        }
        // Later writers add fields to a description: every field that there was comes back.
        let description = image.part(superblock.descriptionExtent)
        let written = try ImageDescription(decoding: description).encoded()
        #expect(try records(description).isSubset(of: records(written)))
    }

    /// The fields of a description, each with its tag and size.
    private func records(_ description: [UInt8]) throws -> Set<[UInt8]> {
        var result: Set<[UInt8]> = []
        var offset = 8
        while offset < description.count {
            let count = Int(try description.span.bytes.integer(at: offset + 4, as: UInt32.self))
            result.insert(Array(description[offset...].prefix(8 + count)))
            offset += 8 + count
        }
        return result
    }

    /// - Returns: the entries.
    private func expectIndex(_ image: Image) throws -> [ChunkIndex.Entry] {
        let superblock = image.superblock
        let bytes = image.part(superblock.indexExtent)
        guard superblock.features.contains(.indexBlocks) else {
            let header = try IndexHeader(decoding: bytes, magic: ContiguousIndex.magic)
            let entries = try ChunkIndex.entries(
                decoding: bytes, from: IndexHeader.byteCount, count: Int(header.count), partition: superblock.dataArea)
            #expect(contiguousIndex(superblock.imageUUID, entries) == bytes)
            return entries
        }
        let table = try IndexTable(decoding: bytes, partition: superblock.dataArea)
        #expect(table.encoded() == bytes)
        return try table.rows.flatMap { row in
            let bytes = image.part(row.extent)
            let block = try IndexBlock(decoding: bytes, partition: superblock.dataArea)
            #expect(block.encoded() == bytes)
            return block.entries
        }
    }

    /// Images without compression, whose bytes no library decides, are written again.
    @Test(arguments: ["none", "full", "bare", "empty", "blocks"])
    func theWriterWritesTheSameImage(name: String) throws {
        let then = try Image(GoldenFiles.bytes(of: "v2-\(name)"))
        let file = try PartitionFile(GoldenImage.byteCount)
        try #require(GoldenImage(name, version: 2)).write(to: file.path)
        var now = try Image(file.bytes)
        // The description has the version of the writer, and fields that came later.
        let description = then.superblock.descriptionExtent
        #expect(now.superblock.descriptionExtent.offset == description.offset)
        now.superblock.descriptionExtent = description
        now.superblock.time = then.superblock.time
        #expect(now.superblock.encoded() == then.superblock.encoded())
        func data(_ image: Image) -> [UInt8] {
            var bytes = Array(image.bytes[Int(Superblock.dataOffset)...])
            let start = Int(description.offset) - Int(Superblock.dataOffset)
            // Later writers add fields to the description.
            for i in 0..<roundedUpToBlock(Int(description.byteCount)) { bytes[start + i] = 0 }
            return bytes
        }
        #expect(data(now) == data(then))
    }
}
