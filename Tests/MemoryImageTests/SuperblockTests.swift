import Basics
import Testing

@testable import MemoryImage

@Suite struct SuperblockTests {
    private func example() throws -> Superblock {
        var superblock = Superblock(uuid: PartitionFile.uuid, label: "swap? née", deviceByteCount: 1 << 40)
        superblock.generation = 77
        superblock.state = .snapshot
        superblock.imageUUID = MemoryFixture.imageUUID
        superblock.time = 1_800_000_000
        superblock.descriptionExtent = .init(offset: 4096, byteCount: 5, checksum: 6)
        superblock.indexExtent = .init(offset: 8192, byteCount: 7, checksum: 8)
        superblock.counts.chunks = 1
        superblock.counts.dataPages = 2
        superblock.counts.zeroPages = 3
        superblock.counts.storedBytes = 4
        superblock.counts.milliseconds = 5
        superblock.codec = .zstd(level: -7)
        superblock.refusals = 9
        superblock.reason = "because"
        return superblock
    }

    @Test func readsWhatItWrites() throws {
        let superblock = try example()
        #expect(try Superblock(decoding: superblock.encoded()) == superblock)
    }

    @Test func noticesEveryFlippedBit() throws {
        let block = try example().encoded()
        for i in block.indices {
            var damaged = block
            damaged[i] ^= 1 << (i % 8)
            #expect(throws: Superblock.Refusal.self, "byte \(i)") { try Superblock(decoding: damaged) }
        }
    }

    @Test func tellsAnUnknownVersionFromDamage() throws {
        var block = try example().encoded()
        block.put(UInt32(9), at: 8)
        block.put(xxh64(block, count: 4088), at: 4088)
        #expect { try Superblock(decoding: block) } throws: { error in
            if case .unknownVersion(9)? = error as? Superblock.Refusal { true } else { false }
        }
        block.put(UInt32(1), at: 8)
        block.put(UInt32(99), at: 112)
        block.put(xxh64(block, count: 4088), at: 4088)
        #expect { try Superblock(decoding: block) } throws: { error in
            if case .damaged? = error as? Superblock.Refusal { true } else { false }
        }
    }
}

@Suite struct HibernationPartitionTests {
    /// Refusals are counted for one image: the next one begins at none.
    @Test func aNewImageHasNoRefusals() throws {
        let partition = try PartitionFile(5 << 20).formatted()
        try partition.update { $0.refusals = 3 }
        _ = try ImageWriter(partition, imageUUID: MemoryFixture.imageUUID, codec: .none, expectedChunks: 1)
        #expect(partition.superblock.refusals == 0 && partition.superblock.state == .saving)
        try partition.update { $0.refusals = 3 }
        try partition.discardImage()
        #expect(partition.superblock.refusals == 0)
    }

    @Test func formatsAndOpens() throws {
        let file = try PartitionFile(5 << 20)
        let superblock = try file.formatted().superblock
        #expect(superblock.state == .empty)
        #expect(superblock.uuid == PartitionFile.uuid)
        #expect(superblock.label == "test")
        #expect(superblock.deviceByteCount == 5 << 20)
        #expect(superblock.generation == 1)
    }

    @Test func writesTheSlotsInTurnAndFallsBackToTheOlder() throws {
        let file = try PartitionFile()
        let partition = try file.formatted()
        try partition.update { $0.reason = "second" }
        #expect(try HibernationPartition(file.path).superblock.reason == "second")
        try partition.update { $0.reason = "third" }
        let third = try HibernationPartition(file.path).superblock
        #expect(third.reason == "third")
        #expect(third.generation == 3)
        // A torn write of the third, which went into the first slot again.
        try file.change(at: Superblock.slotOffsets[0] + 300) { $0 ^= 1 }
        let older = try HibernationPartition(file.path)
        #expect(older.superblock.reason == "second")
        try HibernationPartition(file.path, .write).update { $0.reason = "after the tear" }
        #expect(try HibernationPartition(file.path).superblock.reason == "after the tear")
    }

    @Test func refusesWhatIsNoPartition() throws {
        let file = try PartitionFile()
        expectRefusal(file, "it is not a hibernation partition; make it one with: torpor format")
        _ = try file.formatted()
        try file.change(at: 200) { $0 ^= 1 }
        expectRefusal(file, "both its superblocks are damaged")
        _ = try file.formatted()
        try file.resize(8 << 20)
        expectRefusal(file, "it has 8.0 MiB, but 16.0 MiB when it was formatted")
    }

    private func expectRefusal(_ file: PartitionFile, _ text: String) {
        let failure = #expect(throws: Failure.self) { try HibernationPartition(file.path) }
        #expect(failure?.description.contains(text) == true, "\(failure?.description ?? "")")
    }

    @Test func refusesToFormatWhatIsTooSmall() throws {
        let file = try PartitionFile(4 << 20 - 1)
        let failure = #expect(throws: Failure.self) { try file.formatted() }
        #expect(failure?.description.contains("use a partition of at least 4.0 MiB") == true)
        #expect(try file.bytes.allSatisfy { $0 == 0 })
    }

    @Test func formatsWithoutALabelThatDoesNotFit() throws {
        let file = try PartitionFile()
        #expect(throws: Failure.self) {
            try HibernationPartition.format(
                file.path, label: String(repeating: "x", count: 64), uuid: PartitionFile.uuid, [])
        }
        #expect(try file.bytes.allSatisfy { $0 == 0 })
    }

    @Test func discardsAnImage() throws {
        let file = try PartitionFile()
        try MemoryFixture(pageCount: 20).write(to: file.formatted(), .none)
        try HibernationPartition(file.path, .write).discardImage()
        let superblock = try HibernationPartition(file.path).superblock
        #expect(superblock.state == .empty)
        #expect(superblock.imageUUID == .zero)
        #expect(throws: Failure.self) { try ImageReader(HibernationPartition(file.path)) }
    }
}
