// SPDX-License-Identifier: Apache-2.0
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
        superblock.counts.freePages = 6
        superblock.features = .indexBlocks
        superblock.refusals = 9
        superblock.isGivenUp = true
        superblock.codec = .zstd(level: -7)
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
        block.put(UInt32(2), at: 8)
        block.put(UInt32(99), at: 112)
        block.put(xxh64(block, count: 4088), at: 4088)
        #expect { try Superblock(decoding: block) } throws: { error in
            if case .damaged? = error as? Superblock.Refusal { true } else { false }
        }
    }
}

/// What a version adds, and what an earlier one does not have.
@Suite struct SuperblockVersionTests {
    /// A superblock of version 1, as its writer left it: what it did not know is zero.
    private func versionOne(_ change: (inout [UInt8]) -> Void = { _ in }) -> [UInt8] {
        var superblock = Superblock(uuid: PartitionFile.uuid, label: "old", deviceByteCount: 8 << 20)
        superblock.state = .ready
        var block = superblock.encoded()
        block.put(UInt32(1), at: 8)
        change(&block)
        block.put(xxh64(block, count: 4088), at: 4088)
        return block
    }

    @Test(arguments: 0..<64) func refusesEachFeatureThatItDoesNotKnow(bit: UInt64) throws {
        var superblock = Superblock(uuid: .zero, label: "", deviceByteCount: 8 << 20)
        superblock.features = .init(rawValue: 1 << bit)
        if Superblock.Features.known.contains(superblock.features) {
            #expect(try Superblock(decoding: superblock.encoded()) == superblock)
            return
        }
        #expect { try Superblock(decoding: superblock.encoded()) } throws: { error in
            if case .unknownFeatures(superblock.features)? = error as? Superblock.Refusal { true } else { false }
        }
        // Another field may then mean anything: its value is no damage.
        var block = superblock.encoded()
        block.put(UInt32(99), at: 112)
        block.put(xxh64(block, count: 4088), at: 4088)
        #expect { try Superblock(decoding: block) } throws: { error in
            if case .unknownFeatures? = error as? Superblock.Refusal { true } else { false }
        }
    }

    @Test func namesTheFeaturesAndARemedy() throws {
        let file = try PartitionFile(5 << 20)
        let partition = try file.formatted()
        try partition.update { $0.features = .init(rawValue: 1 << 3 | 1 << 17) }
        let failure = #expect(throws: Failure.self) { try HibernationPartition(file.path) }
        #expect(failure?.reason == "it needs features that this torpor lacks (bits 3, 17)")
        #expect(failure?.remedy?.hasPrefix("use a newer torpor") == true)
    }

    /// In version 1 nobody looked at these bytes.
    @Test func versionOneHasNoFeatures() throws {
        let superblock = try Superblock(
            decoding: versionOne {
                $0.put(UInt64.max, at: 240)
                $0.put(UInt64(7), at: 512)
            })
        #expect(superblock.version == 1 && superblock.features == [] && superblock.counts.freePages == 0)
        #expect(superblock.dataArea == 1 << 20..<8 << 20)
    }

    @Test func versionOneStaysVersionOne() throws {
        var superblock = try Superblock(decoding: versionOne())
        superblock.state = .consumed
        superblock.refusals = 3
        let block = superblock.encoded()
        #expect(try block.span.bytes.integer(at: 8, as: UInt32.self) == 1)
        #expect(try Superblock(decoding: block) == superblock)
    }

    @Test(
        arguments: [
            (0, 1 << 20), (4096, 1 << 20), (2 << 20, 1 << 20), (4 << 20, 3 << 20), ((4 << 20) + 4095, 3 << 20),
            (1 << 40, (1 << 40) - 1 << 20), (.max, .max - 4095 - 1 << 20),
        ] as [(UInt64, UInt64)])
    func leavesTheLastMebibyteFree(deviceByteCount: UInt64, end: UInt64) {
        let superblock = Superblock(uuid: .zero, label: "", deviceByteCount: deviceByteCount)
        #expect(superblock.dataArea == 1 << 20..<end)
    }
}

@Suite struct HibernationPartitionTests {
    /// What others have at a device's end would be taken for theirs: MD RAID 1.0, the second GPT, labels of ZFS.
    @Test(arguments: [4 << 20, (5 << 20) + 512 * 3] as [UInt64]) func formattingClearsBothEnds(byteCount: UInt64) throws
    {
        let file = try PartitionFile(byteCount)
        let places: [UInt64] = [
            0, 511, 70_000, 1 << 20 - 1, 1 << 20, byteCount - 1 << 20, byteCount - 34 * 512, byteCount - 1,
        ]
        for place in places { try file.change(at: place) { $0 = 0x77 } }
        _ = try file.formatted()
        let bytes = try file.bytes
        #expect(bytes[4096..<1 << 20].allSatisfy { $0 == 0 })
        #expect(bytes[Int(byteCount - 1 << 20)...].allSatisfy { $0 == 0 })
        #expect(bytes[1 << 20] == 0x77, "what lies in the data area is nobody's signature")
        #expect(bytes.count == Int(byteCount))
    }

    /// An image that fills all that there is leaves the end as it is.
    @Test func writesNothingIntoTheLastMebibyte() throws {
        let file = try PartitionFile(4 << 20)
        let partition = try file.formatted()
        #expect(throws: Failure.self) { try MemoryFixture().write(to: partition, .none) }
        let bytes = try file.bytes
        #expect(bytes[Int(3 << 20)...].allSatisfy { $0 == 0 })
        #expect(bytes[2 << 20..<3 << 20].contains { $0 != 0 }, "the image did not come that far")
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
