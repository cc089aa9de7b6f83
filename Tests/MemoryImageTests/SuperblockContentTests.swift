// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import MemoryImage

/// Superblocks with wrong contents and a right checksum. What they say of the image is compared with the image.
@Suite struct SuperblockContentTests {
    private nonisolated(unsafe) static let extents: [(reason: String, change: (inout Superblock.Extent) -> Void)] = [
        ("it does not lie within the partition", { $0.offset = 0 }),
        ("it does not lie within the partition", { $0.offset = 512 << 10 }),
        ("it does not lie within the partition", { $0.offset += 1 }),
        ("it does not lie within the partition", { $0.offset = 4 << 20 }),
        ("it does not lie within the partition", { $0.offset = .max - 4095 }),
        ("it does not lie within the partition", { $0.byteCount = 0 }),
        ("it does not lie within the partition", { $0.byteCount = 1 << 30 }),
        ("it does not lie within the partition", { $0.byteCount = .max }),
        ("it does not lie within the partition", { $0 = .init() }),
        ("its checksum is wrong: the image is damaged", { $0.offset += 4096 }),
        ("its checksum is wrong: the image is damaged", { $0.byteCount += 1 }),
        ("its checksum is wrong: the image is damaged", { $0.checksum ^= 1 }),
    ]

    @Test(arguments: [true, false])
    func refusesExtentsThatAreNotTheImages(isIndex: Bool) throws {
        for (number, mistake) in Self.extents.enumerated() {
            let partition = try changed { superblock in
                if isIndex {
                    mistake.change(&superblock.indexExtent)
                } else {
                    mistake.change(&superblock.descriptionExtent)
                }
            }
            let failure = #expect(throws: Failure.self, "mistake \(number)") { try ImageReader(partition) }
            #expect(failure?.reason == mistake.reason, "mistake \(number)")
        }
    }

    /// These are compared before a page is read.
    private nonisolated(unsafe) static let claims: [(inout Superblock) -> Void] = [
        { $0.imageUUID = PartitionFile.uuid }, { $0.counts.chunks += 1 }, { $0.counts.dataPages += 1 },
        { $0.counts.dataPages = .max }, { swap(&$0.indexExtent, &$0.descriptionExtent) },
    ]

    @Test func refusesClaimsThatAreNotTheImages() throws {
        for (number, change) in Self.claims.enumerated() {
            let partition = try changed(change)
            #expect(throws: Failure.self, "mistake \(number)") { try ImageReader(partition) }
        }
    }

    @Test func countsThePagesOfZeros() throws {
        for count: UInt64 in [0, 3, 5, .max] {
            let reader = try ImageReader(try changed { $0.counts.zeroPages = count })
            let failure = #expect(throws: Failure.self, "\(count) pages") { try reader.verify() }
            #expect(failure?.reason == "its pages are not as many as its superblock says")
        }
        try ImageReader(try changed { $0.counts.zeroPages = 4 }).verify()
    }

    /// A partition with an image, and a changed superblock.
    private func changed(_ change: (inout Superblock) -> Void) throws -> HibernationPartition {
        let file = try PartitionFile(4 << 20)
        let partition = try file.formatted()
        try MemoryFixture(pageCount: 20).write(to: partition, .zstd(level: 1))
        try ImageReader(partition).verify()
        try partition.update(change)
        return try HibernationPartition(file.path)
    }
}
