// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import MemoryImage

/// The two slots of a partition, and the reasons why it is not opened.
@Suite struct HibernationPartitionTests {
    private func slots(_ file: PartitionFile) throws -> [[UInt8]] {
        let bytes = try file.bytes
        return Superblock.slotOffsets.map { Array(bytes[Int($0)..<Int($0) + Superblock.byteCount]) }
    }

    /// A device that is not a hibernation partition is not called damaged, however small it is.
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

    /// A power cut leaves the first bytes of the new superblock and the last bytes of the old one.
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

    @Test func writesTheSlotsInTurnAndFallsBackToTheOlder() throws {
        let file = try PartitionFile()
        let partition = try file.formatted()
        try partition.update { $0.reason = "second" }
        #expect(try HibernationPartition(file.path).superblock.reason == "second")
        try partition.update { $0.reason = "third" }
        let third = try HibernationPartition(file.path).superblock
        #expect(third.reason == "third")
        #expect(third.generation == 3)
        // The third superblock, in the first slot, is torn.
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

    @Test func discardsAnImage() throws {
        let file = try PartitionFile()
        try MemoryFixture(pageCount: 20).write(to: file.formatted(), .none)
        try HibernationPartition(file.path, .write).discardImage()
        let superblock = try HibernationPartition(file.path).superblock
        #expect(superblock.state == .empty)
        #expect(superblock.imageUUID == .zero)
        #expect(throws: Failure.self) { try ImageReader(HibernationPartition(file.path)) }
    }

    /// The newest slot was written by a later version: what an older slot says is not true any more.
    @Test func doesNotFallBackBehindALaterVersion() throws {
        let file = try PartitionFile(4 << 20)
        let partition = try file.formatted()
        try partition.update { $0.state = .ready }
        try partition.update { $0.state = .consumed }
        var block = partition.superblock.encoded()
        block.put(Superblock.version + 1, at: 8)
        block.put(xxh64(block, count: 4088), at: 4088)
        try file.put(block, at: 0)
        #expect(throws: Failure.self) { try HibernationPartition(file.path) }
    }
}
