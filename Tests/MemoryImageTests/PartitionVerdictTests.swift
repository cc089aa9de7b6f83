// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockStore
import Foundation
import Linux
import Testing

@testable import MemoryImage

/// Whose a partition is: not ours, ours, or ours but unusable, and why.
@Suite struct PartitionVerdictTests {
    /// A partition with superblocks in both slots; the one in the second slot counts.
    private func usedPartition() throws -> (PartitionFile, HibernationPartition) {
        let file = try PartitionFile(4 << 20)
        let partition = try file.formatted()
        for _ in 0..<3 { try partition.update { $0.state = .consumed } }
        #expect(try HibernationPartition(file.path).superblock.generation == 4)
        return (file, partition)
    }

    @Test(arguments: ForeignContent.allCases)
    fileprivate func isNotOursAnyMoreWithOtherContent(content: ForeignContent) throws {
        let (file, _) = try usedPartition()
        try content.write(to: file)
        try #require(try probeContent(file.path).type == content.type, "the fixture")
        guard case .foreign(let type, let wasOurs) = try HibernationPartition.verdict(file.path) else {
            Issue.record("it is taken for ours")
            return
        }
        #expect(type == content.type)
        #expect(wasOurs == content.leavesMagic)
        let failure = #expect(throws: Failure.self) { try HibernationPartition(file.path, .write) }
        let sentence = "open \(file.path): it is not a hibernation partition"
        if let type = content.type {
            #expect(failure?.description.contains("\(wasOurs ? " any more" : ""): it holds \(type); ") == true)
        } else {
            #expect(failure?.description == "\(sentence); make it one with: torpor format \(file.path)")
        }
        #expect(failure?.description.hasPrefix(sentence) == true)
    }

    /// The magic alone makes a device ours. Each way of being unusable has its reason.
    @Test func isOursButUnusable() throws {
        let (file, _) = try usedPartition()
        let superblock = try HibernationPartition(file.path).superblock
        func expect(_ reason: String, hasSuperblock: Bool, _ slots: [[UInt8]], byteCount: UInt64 = 4 << 20) {
            let verdict = PartitionVerdict("/dev/x", slots: slots, content: nil, byteCount: byteCount)
            guard case .unusable(let failure, let found) = verdict else {
                Issue.record("not unusable: \(reason)")
                return
            }
            #expect(failure.reason == reason)
            #expect(failure.remedy != nil)
            #expect((found != nil) == hasSuperblock)
            #expect(verdict.failure("/dev/x")?.description == failure.description)
        }
        let good = superblock.encoded()
        var damaged = good
        damaged[300] ^= 1
        var later = good
        later.put(UInt32(99), at: 8)
        later.put(xxh64(later, count: 4088), at: 4088)
        var encrypted = superblock
        encrypted.cipher = 1
        expect("both its superblocks are damaged", hasSuperblock: false, [damaged, damaged])
        expect("both its superblocks are damaged", hasSuperblock: false, [damaged])
        let sentence = "its format has version 99, this torpor knows \(Superblock.version)"
        expect(sentence, hasSuperblock: false, [later, good])
        expect(sentence, hasSuperblock: false, [good, later])
        expect("its image is encrypted", hasSuperblock: true, [encrypted.encoded(), damaged])
        expect(
            "it has 2.0 MiB, but 4.0 MiB when it was formatted", hasSuperblock: true, [good, good], byteCount: 2 << 20)
        var features = superblock
        features.features = Superblock.Features(rawValue: 1 << 17)
        expect(
            "it needs features that this torpor lacks (bits 17)", hasSuperblock: false, [good, features.encoded()])
        guard
            case .ours(let found, slot: 1) = PartitionVerdict(
                "/dev/x", slots: [damaged, good], content: nil, byteCount: 4 << 20)
        else {
            Issue.record("one slot is enough")
            return
        }
        #expect(found == superblock)
    }

    @Test func saysThatItCannotBeRead() {
        let failure = #expect(throws: Failure.self) { try HibernationPartition.verdict("/nowhere/disk") }
        #expect(failure?.description == "open /nowhere/disk: No such file or directory")
        #expect(throws: Failure.self) { try HibernationPartition.verdict("/dev") }
    }

    // MARK: What comes while the partition is open

    @Test(arguments: ForeignContent.allCases)
    fileprivate func beginsNoImageOnWhatIsNotOursAnyMore(content: ForeignContent) throws {
        let (file, partition) = try usedPartition()
        try content.write(to: file)
        let before = try file.bytes
        #expect(throws: Failure.self) {
            try ImageWriter(partition, imageUUID: MemoryFixture.imageUUID, codec: .none)
        }
        #expect(try file.bytes == before, "it was written")
    }

    @Test(arguments: ForeignContent.allCases)
    fileprivate func completesNoImageOnWhatIsNotOursAnyMore(content: ForeignContent) throws {
        let (file, partition) = try usedPartition()
        let writer = try ImageWriter(partition, imageUUID: MemoryFixture.imageUUID, codec: .none)
        try content.write(to: file)
        let slots = try file.bytes.prefix(Int(Superblock.dataOffset)), end = try file.bytes.suffix(64 << 10)
        #expect(throws: Failure.self) { try writer.finish(ImageDescription(), state: .ready) { 1 } }
        #expect(throws: Failure.self) { try writer.fail("in vain") }
        #expect(try file.bytes.prefix(Int(Superblock.dataOffset)) == slots, "it was written")
        #expect(try file.bytes.suffix(64 << 10) == end, "it was written")
    }

    @Test func beginsNoImageOverSomebodyElsesSuperblock() throws {
        let (file, partition) = try usedPartition()
        try HibernationPartition(file.path, .write).update { $0.state = .ready }
        let failure = #expect(throws: Failure.self) {
            try ImageWriter(partition, imageUUID: MemoryFixture.imageUUID, codec: .none)
        }
        #expect(failure?.reason == "somebody else has written its superblock")
        #expect(try HibernationPartition(file.path).superblock.state == .ready)
    }

    /// A page of kernel A's memory has the magic of VMFS at the offset at which VMFS has it.
    @Test func leavesNoImageThatLooksLikeSomethingElse() throws {
        let file = try PartitionFile(8 << 20)
        let partition = try file.formatted()
        let writer = try ImageWriter(partition, imageUUID: MemoryFixture.imageUUID, codec: .none)
        let builder = try writer.makeChunkBuilder()
        let page = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 4096)
        defer { page.deallocate() }
        for frame: UInt64 in 0..<600 {
            for i in 0..<4096 { page[i] = UInt8(truncatingIfNeeded: (i &* 167) ^ Int(frame)) }
            page.copyBytes(from: [0x5e, 0xf1, 0xab, 0x2f])
            try builder.addData(firstFrame: 0x8000 + frame, UnsafeRawBufferPointer(page))
        }
        try builder.flush()
        try #require(try probeContent(file.path).type == "VMFS", "the fixture")
        let failure = #expect(throws: Failure.self) {
            try writer.finish(ImageDescription(), state: .ready) { 1 }
        }
        #expect(failure?.description.contains("looks like something else") == true)
        #expect(failure?.description.contains("VMFS") == true)
        try writer.fail("no")
        let found = try HibernationPartition(file.path).superblock
        #expect(found.state == .failed && found.reason == "no")
        #expect(found.contentsEnd > 3 << 20)
    }

    /// If the partition is another's by now, a signature is not erased, and not taken for a part of the image.
    @Test func wipesNothingOfSomebodyElses() throws {
        let file = try PartitionFile(8 << 20)
        let writer = try ImageWriter(file.formatted(), imageUUID: MemoryFixture.imageUUID, codec: .none)
        try ForeignContent.zeros.write(to: file)
        try file.put([0x5e, 0xf1, 0xab, 0x2f], at: 2 << 20)
        try #require(try probeContent(file.path).type == "VMFS", "the fixture")
        let failure = #expect(throws: Failure.self) { try writer.finish(ImageDescription(), state: .ready) { 1 } }
        #expect(failure?.reason == "it is not a hibernation partition: it holds VMFS")
        #expect(try probeContent(file.path).type == "VMFS", "its signature was removed")
    }

    /// Somebody has formatted the device for Torpor again.
    @Test func wipesNothingBehindAnotherSuperblock() throws {
        let file = try PartitionFile(8 << 20)
        let writer = try ImageWriter(file.formatted(), imageUUID: MemoryFixture.imageUUID, codec: .none)
        try HibernationPartition.format(file.path, label: "other", uuid: PartitionFile.uuid, [])
        try file.put([0x5e, 0xf1, 0xab, 0x2f], at: 2 << 20)
        #expect(throws: Failure.self) { try writer.finish(ImageDescription(), state: .ready) { 1 } }
        #expect(try probeContent(file.path).type == "VMFS", "its signature was removed")
    }

    /// If the device cannot be read, the refusal says so, and does not name a signature.
    @Test func saysWhyAnImageCannotBeCompleted() throws {
        let file = try PartitionFile(8 << 20)
        let writer = try ImageWriter(file.formatted(), imageUUID: MemoryFixture.imageUUID, codec: .none)
        let handle = try #require(FileHandle(forUpdatingAtPath: file.path))
        try handle.truncate(atOffset: 1 << 20)
        let failure = #expect(throws: Failure.self) { try writer.finish(ImageDescription(), state: .ready) { 1 } }
        #expect(failure?.description.contains("looks like something else") == false)
    }

    // MARK: Texts

    /// Other systems have their magic at offsets at which a slot has the label.
    @Test(
        arguments: [
            (24, "_BHRfS_M"), (12, "ReIsErFs"), (12, "ReIsEr2Fs"), (12, "ReIsEr3Fs"), (14, "FAT16   "),
            (42, "FAT32   "), (42, "MSWIN4.1"), (48, "CS"),
        ])
    func noLabelMakesItSomethingElse(offset: Int, magic: String) throws {
        let file = try PartitionFile(4 << 20)
        let label = String(repeating: "x", count: offset) + magic
        do throws(Failure) {
            try HibernationPartition.format(file.path, label: label, uuid: PartitionFile.uuid, [])
        } catch {
            #expect(error.description.contains("use another label than \(label)"))
            #expect(try file.bytes.prefix(1 << 20).allSatisfy { $0 == 0 }, "it is half formatted")
            return
        }
        let partition = try HibernationPartition(file.path, .write)
        for _ in 0..<2 { try partition.update { $0.state = .failed } }
        #expect(try HibernationPartition(file.path).superblock.label == label)
    }

    @Test func refusesTheLabelThatLooksLikeBtrfs() throws {
        let file = try PartitionFile(4 << 20)
        let failure = #expect(throws: Failure.self) {
            try HibernationPartition.format(
                file.path, label: String(repeating: "x", count: 24) + "_BHRfS_M", uuid: PartitionFile.uuid, [])
        }
        #expect(failure?.reason == "libblkid then takes it for btrfs")
    }

    /// Atari partition tables have no magic, only plausible values. On 2 TiB, letters are plausible.
    @Test(arguments: ["a", "b", "Q", "1", " is1", "é"]) func noReasonMakesItSomethingElse(text: String) throws {
        let file = try PartitionFile(2 << 40 - 1 << 20)
        let partition = try file.formatted()
        for shift in 0..<4 {
            try partition.update {
                $0.reason = String(repeating: "x", count: shift) + String(repeating: text, count: 255)
            }
            #expect(try probeContent(file.path).type == nil, "\(shift)")
        }
        #expect(try HibernationPartition(file.path).superblock.generation == 5)
    }
}
