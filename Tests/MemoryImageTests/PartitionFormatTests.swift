// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockStore
import Testing

@testable import MemoryImage

@Suite struct PartitionFormatTests {
    /// A superblock from before the format, with a higher generation, must not come back.
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

    /// Others have signatures at the end of a device: MD RAID 1.0, the second GPT, ZFS labels.
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

    @Test func formatsAndOpens() throws {
        let file = try PartitionFile(5 << 20)
        let superblock = try file.formatted().superblock
        #expect(superblock.state == .empty)
        #expect(superblock.uuid == PartitionFile.uuid)
        #expect(superblock.label == "test")
        #expect(superblock.deviceByteCount == 5 << 20)
        #expect(superblock.generation == 1)
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

    /// A superblock of md (version 1.0) lies behind the area that formatting zeroes.
    @Test func formattingWipesForeignSignatures() throws {
        let file = try PartitionFile(4 << 20)
        let sector = UInt64((4 << 20) / 512 - 16)
        var raid = [UInt8](repeating: 0, count: 256)
        raid.put(UInt32(0xa92b_4efc), at: 0)
        raid.put(UInt32(1), at: 4)
        raid.put((1...16).map { UInt8($0) }, at: 16, limit: 16)
        raid.put(sector, at: 144)
        var sum: UInt64 = 0
        for i in 0..<64 { sum += UInt64(try raid.span.bytes.integer(at: i * 4, as: UInt32.self)) }
        raid.put(UInt32(truncatingIfNeeded: sum & 0xffff_ffff + sum >> 32), at: 216)
        try file.put(raid, at: Int(sector) * 512)
        try #require(try probeContent(file.path).type == "linux_raid_member")
        _ = try file.formatted()
        #expect(try probeContent(file.path).type == nil)
    }
}
