// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import MemoryImage
import Testing

@testable import Hibernation

@Suite struct LogTelltalesTests {
    @Test(.enabled(if: exists("/usr/sbin/mkfs.xfs")))
    func findsTheLogOfARealXFS() throws {
        try withFileSystem("/usr/sbin/mkfs.xfs -q") { (reader: FileSystemReader) throws in
            let found = try #require(try telltales("xfs", isDeviceReadOnly: false, reader))
            let log = try #require(found.ranges.last)
            #expect(log.lowerBound > 8 << 20)
            #expect(try reader.bytes(at: log.lowerBound, count: 4) == [0xfe, 0xed, 0xba, 0xbe])
        }
    }

    @Test(.enabled(if: exists("/usr/sbin/mkfs.f2fs")))
    func findsTheCheckpointsOfARealF2FS() throws {
        try withFileSystem("/usr/sbin/mkfs.f2fs -q") { (reader: FileSystemReader) throws in
            let found = try #require(try telltales("f2fs", isDeviceReadOnly: false, reader))
            #expect(found.ranges.count >= 3)
            // A version, and as many blocks as a user may have: at least one of 400 MiB.
            let fields = try reader.bytes(at: found.ranges[1].lowerBound, count: 16)
            let version = try fields.span.bytes.integer(at: 0, as: UInt64.self)
            let blocks = try fields.span.bytes.integer(at: 8, as: UInt64.self)
            #expect(version > 0 && blocks > 1000 && blocks < 102_400)
        }
    }

    private static func xfs(blockSize: UInt32, groupBlocks: UInt32, shift: UInt8, log: UInt64, blocks: UInt32)
        -> DiskImage
    {
        let disk = DiskImage(64 << 30)
        disk.put(Array("XFSB".utf8), at: 0)
        disk.put(blockSize.byteSwapped, at: 4)
        disk.put(log.byteSwapped, at: 48)
        disk.put(groupBlocks.byteSwapped, at: 84)
        disk.put(UInt32(4).byteSwapped, at: 88)
        disk.put(blocks.byteSwapped, at: 96)
        disk.put([shift], at: 124)
        return disk
    }

    /// The third group's block 5: groups have 1,000,000 blocks, numbered with 20 bits.
    @Test func findsTheLogOfAnXFS() throws {
        let disk = Self.xfs(blockSize: 4096, groupBlocks: 1_000_000, shift: 20, log: 2 << 20 | 5, blocks: 2560)
        let found = try #require(try telltales("xfs", isDeviceReadOnly: false, disk.reader))
        let start: UInt64 = (2 * 1_000_000 + 5) * 4096
        #expect(found == Telltales(ranges: [0..<4096, start..<start + 2560 * 4096]))
        // One on a device of its own.
        let external = Self.xfs(blockSize: 4096, groupBlocks: 1_000_000, shift: 20, log: 0, blocks: 2560)
        #expect(try telltales("xfs", isDeviceReadOnly: false, external.reader)?.ranges == [0..<4096])
        for malformed in [
            Self.xfs(blockSize: 4096, groupBlocks: 1_000_000, shift: 20, log: 9 << 20, blocks: 2560),
            Self.xfs(blockSize: 4096, groupBlocks: 1_000_000, shift: 20, log: 1_000_001, blocks: 2560),
            Self.xfs(blockSize: 4096, groupBlocks: 1_000_000, shift: 20, log: .max, blocks: 2560),
            Self.xfs(blockSize: 4096, groupBlocks: 1_000_000, shift: 20, log: 5, blocks: .max),
            Self.xfs(blockSize: 4097, groupBlocks: 1_000_000, shift: 20, log: 5, blocks: 2560),
            Self.xfs(blockSize: 4096, groupBlocks: 1 << 21, shift: 20, log: 5, blocks: 2560), DiskImage(1 << 20),
        ] {
            #expect(throws: Failure.self) { try telltales("xfs", isDeviceReadOnly: false, malformed.reader) }
        }
    }

    /// A mount writes 2 MiB of a large log at least: none of them lies between two samples.
    @Test func samplesALargeLog() {
        let log: DeviceRange = 4096..<(2 << 30) + 4096
        let ranges = XFS.logRanges(log)
        let head: DeviceRange = 4096..<67_112_960
        #expect(ranges.first == head)
        #expect(zip(ranges.dropFirst(), ranges.dropFirst(2)).allSatisfy { $1.lowerBound - $0.lowerBound <= 1 << 20 })
        #expect((ranges.last?.upperBound ?? 0) > log.upperBound - 1 << 20)
        #expect(ranges.reduce(0) { $0 + $1.byteCount } <= 192 << 20)
        #expect(XFS.logRanges(0..<1 << 20) == [0..<1 << 20])
    }

    @Test func findsTheCheckpointsOfAnF2FS() throws {
        let disk = DiskImage(64 << 20)
        disk.put(UInt32(0xf2f5_2010), at: 1024)
        disk.put(UInt32(12), at: 1024 + 16)
        disk.put(UInt32(9), at: 1024 + 20)
        disk.put(UInt32(2), at: 1024 + 52)
        disk.put(UInt32(5120), at: 1024 + 76)
        disk.put(UInt32(8192), at: 1024 + 92)
        // The second checkpoint: the next node goes to block 7 of segment 3.
        disk.put(UInt32(3), at: (22 << 20) + 40)
        disk.put(UInt16(7), at: (22 << 20) + 70)
        // The first one names a segment that is not there.
        disk.put(UInt32.max, at: (20 << 20) + 40)
        let found = try #require(try telltales("f2fs", isDeviceReadOnly: false, disk.reader))
        let next: UInt64 = (32 << 20) + (3 * 512 + 7) * 4096
        #expect(found.ranges == [0..<8192, 20 << 20..<24 << 20, next..<next + 256 << 10])
        #expect(found.areMoving)
        #expect(try movingType(disk.reader) == "f2fs")
        #expect(try movingType(DiskImage.exFAT().reader) == "exfat")
        #expect(try movingType(DiskImage.fat(16).reader) == "vfat")
        for (value, offset) in [(UInt32(0), 0), (UInt32(60), 16), (UInt32(60), 20), (UInt32(65), 52), (UInt32.max, 76)]
        {
            let other = DiskImage(64 << 20)
            other.put(try disk.reader.bytes(at: 1024, count: 512), at: 1024)
            other.put(value, at: 1024 + UInt64(offset))
            #expect(throws: Failure.self) { try telltales("f2fs", isDeviceReadOnly: false, other.reader) }
        }
    }
}
