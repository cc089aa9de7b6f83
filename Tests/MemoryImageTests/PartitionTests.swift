// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import MemoryImage

/// The two slots, and what a partition is not opened with.
@Suite struct SlotTests {
    private func slots(_ file: PartitionFile) throws -> [[UInt8]] {
        let bytes = try file.bytes
        return Superblock.slotOffsets.map { Array(bytes[Int($0)..<Int($0) + Superblock.byteCount]) }
    }

    /// However small, a device that is no hibernation partition is told from one that is damaged.
    @Test(arguments: [0, 512, 4096, 65536, 69632, 4 << 20]) func refusesAnythingElse(byteCount: UInt64) throws {
        let file = try PartitionFile(byteCount)
        let failure = #expect(throws: Failure.self) { try HibernationPartition(file.path) }
        #expect(failure?.reason == "it is not a hibernation partition")
    }

    @Test func onlyTheSlotThatDoesNotCountIsWritten() throws {
        let file = try PartitionFile(4 << 20)
        let partition = try file.formatted()
        var before = try slots(file)
        #expect(before[1].allSatisfy { $0 == 0 })
        for generation: UInt64 in 2...7 {
            try partition.update { $0.reason = "number \(generation)" }
            let after = try slots(file)
            let written = Int((generation - 1) % 2)
            #expect(try Superblock(decoding: after[written]).generation == generation)
            #expect(after[1 - written] == before[1 - written], "the slot that counted has changed")
            before = after
        }
    }

    /// A power cut leaves the first bytes of the new superblock before the last of the one that was there.
    @Test(arguments: [0, 1, 16, 17, 512, 1024, 2048, 4088])
    func fallsBackFromATornWrite(cut: Int) throws {
        let file = try PartitionFile(4 << 20)
        let partition = try file.formatted()
        try partition.update { $0.state = .attempted }
        let older = try slots(file)[0]
        try partition.update { $0.state = .consumed }
        for i in cut..<Superblock.byteCount { try file.change(at: UInt64(i)) { $0 = older[i] } }
        let superblock = try HibernationPartition(file.path).superblock
        #expect(superblock.state == .attempted)
        #expect(superblock.generation == 2)
    }

    /// A superblock of an earlier format, with a higher generation, must not come back.
    @Test func formattingForgetsWhatWasThere() throws {
        let file = try PartitionFile(4 << 20)
        let partition = try file.formatted()
        for _ in 0..<4 { try partition.update { $0.state = .ready } }
        let other = try #require(UUID("11111111-89ab-4cde-8f01-23456789abcd"))
        try HibernationPartition.format(file.path, label: "", uuid: other, [])
        let superblock = try HibernationPartition(file.path).superblock
        #expect(superblock.generation == 1 && superblock.state == .empty && superblock.uuid == other)
        #expect(superblock.label == "")
        #expect(try file.bytes[Superblock.byteCount..<Int(Superblock.dataOffset)].allSatisfy { $0 == 0 })
    }

    @Test func saysWhyItDoesNotOpen() throws {
        let file = try PartitionFile(4 << 20)
        let partition = try file.formatted()
        try partition.update { $0.cipher = 1 }
        expectRefusal(file, "its image is encrypted; use a version of torpor that can decrypt it")
        _ = try file.formatted()
        var block = try slots(file)[0]
        block.put(UInt32(9), at: 8)
        block.put(xxh64(block, count: 4088), at: 4088)
        for i in [8, 9, 10, 11] + Array(4088..<4096) { try file.change(at: UInt64(i)) { $0 = block[i] } }
        expectRefusal(file, "its format has version 9, this torpor knows 2; use a newer torpor")
        #expect(throws: Failure.self) { try HibernationPartition("/nowhere/disk") }
    }

    private func expectRefusal(_ file: PartitionFile, _ text: String) {
        let failure = #expect(throws: Failure.self) { try HibernationPartition(file.path) }
        #expect(failure?.description.contains(text) == true, "\(failure?.description ?? "")")
    }

    @Test func aLongReasonIsCutAtACharacter() throws {
        let file = try PartitionFile(4 << 20)
        try file.formatted().update { $0.reason = String(repeating: "é", count: 300) }
        #expect(try HibernationPartition(file.path).superblock.reason == String(repeating: "é", count: 98))
    }

    @Test func refusesToUseUpItsGenerations() throws {
        let file = try PartitionFile(4 << 20)
        let partition = try file.formatted()
        var last = partition.superblock
        last.generation = .max
        for (i, byte) in last.encoded().enumerated() { try file.change(at: UInt64(i)) { $0 = byte } }
        let failure = #expect(throws: Failure.self) {
            try HibernationPartition(file.path, .write).update { $0.state = .ready }
        }
        #expect(failure?.reason == "its generations are used up")
    }
}

/// A superblock with a right checksum over wrong contents: what names the image must still be true.
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

    /// What can be compared before a page is read is compared then.
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

    /// A partition whose image was right until its superblock was changed.
    private func changed(_ change: (inout Superblock) -> Void) throws -> HibernationPartition {
        let file = try PartitionFile(4 << 20)
        let partition = try file.formatted()
        try MemoryFixture(pageCount: 20).write(to: partition, .zstd(level: 1))
        try ImageReader(partition).verify()
        try partition.update(change)
        return try HibernationPartition(file.path)
    }
}
