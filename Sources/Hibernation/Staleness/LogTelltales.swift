// SPDX-License-Identifier: Apache-2.0
import Basics
import MemoryImage

/// The log of XFS.
enum XFS {
    /// Bytes of a log that are read in full; of the rest, a piece of each MiB is read.
    private static let wholeLog: UInt64 = 64 << 20

    /// The extents of a log that show a mount: it writes some MiB from the log's head on, or less if the log is smaller.
    static func logRanges(_ log: DeviceRange) -> [DeviceRange] {
        if log.byteCount <= wholeLog { return [log] }
        let rest: DeviceRange = log.lowerBound + wholeLog..<log.upperBound
        return [log.lowerBound..<rest.lowerBound]
            + Telltales.samples(of: rest, limit: max(64 << 10, rest.byteCount / 16))
    }
}

/// The telltales of XFS: the superblock, which a clean unmount changes (`sb_lsn`), and the log, which every other use changes.
/// The superblock is big-endian (fs/xfs/libxfs/xfs_format.h, `struct xfs_dsb`).
func xfsTelltales(_ device: FileSystemReader) throws(Failure) -> Telltales {
    let block = try device.bytes(at: 0, count: 512)
    let fields = block.span.bytes
    func number(_ offset: Int) throws(Failure) -> UInt64 {
        UInt64(try fields.integer(at: offset, as: UInt32.self).byteSwapped)
    }
    guard Array(block[0..<4]) == Array("XFSB".utf8) else {
        throw FileSystemReader.malformed("its superblock is missing")
    }
    let blockSize = try number(4), groupBlocks = try number(84), logBlocks = try number(96)
    let logStart = try number(48) << 32 | number(52)
    let groupShift = UInt64(block[124])
    guard blockSize >= 512, blockSize <= 64 << 10, blockSize.nonzeroBitCount == 1, groupShift < 32, groupBlocks > 0,
        groupBlocks <= 1 << groupShift
    else { throw FileSystemReader.malformed("its superblock is malformed") }
    var ranges: [DeviceRange] = [0..<pageSize]
    // An external log is watched on its own device.
    if logStart != 0 {
        let group = logStart >> groupShift, inside = logStart & (1 << groupShift - 1)
        guard group < (try number(88)), inside < groupBlocks, logBlocks > 0 else {
            throw FileSystemReader.malformed("its log is malformed")
        }
        let (first, isBeyond) = (group * groupBlocks + inside).multipliedReportingOverflow(by: blockSize)
        let (end, overflow) = first.addingReportingOverflow(logBlocks * blockSize)
        guard !isBeyond, !overflow, end <= device.byteCount else {
            throw FileSystemReader.malformed("its log is malformed")
        }
        ranges += XFS.logRanges(first..<end)
    }
    return Telltales(ranges: ranges)
}

/// The telltales of F2FS: the segments of its checkpoints, and the blocks for the nodes that are written between two
/// checkpoints (include/linux/f2fs_fs.h, `struct f2fs_super_block` and `f2fs_checkpoint`).
func f2fsTelltales(_ device: FileSystemReader) throws(Failure) -> Telltales {
    let block = try device.bytes(at: f2fsOffset, count: 512)
    let fields = block.span.bytes
    func number(_ offset: Int) throws(Failure) -> UInt64 { UInt64(try fields.integer(at: offset, as: UInt32.self)) }
    guard try number(0) == UInt64(f2fsMagic) else { throw FileSystemReader.malformed("its superblock is missing") }
    let blockShift = try number(16), segmentShift = try number(20)
    let segments = try number(52), checkpoint = try number(76), main = try number(92)
    guard (12...16).contains(blockShift), segmentShift <= 16, segments > 0, segments <= 64 else {
        throw FileSystemReader.malformed("its superblock is malformed")
    }
    let start = checkpoint << blockShift, pack = UInt64(1) << (blockShift + segmentShift)
    let end = start + segments << (blockShift + segmentShift)
    guard end <= device.byteCount else { throw FileSystemReader.malformed("its checkpoints are malformed") }
    // The first 8 KiB hold both superblocks.
    var ranges: [DeviceRange] = [0..<8 << 10, start..<end]
    // Either of the two checkpoints may be the valid one. It names the block at which the next nodes of files are written
    // (fs/f2fs/recovery.c, `find_fsync_dnodes`).
    for place in [start, start + pack] where place + 132 <= end {
        let bytes = try device.bytes(at: place, count: 132)
        let segment = UInt64(try bytes.span.bytes.integer(at: 40, as: UInt32.self))
        let offset = UInt64(try bytes.span.bytes.integer(at: 70, as: UInt16.self))
        let next = (main + segment << segmentShift + offset) << blockShift
        if segment < 1 << 32 - 1, next < device.byteCount { ranges.append(next..<next + (256 << 10)) }
    }
    return Telltales(ranges: ranges, areMoving: true)
}

/// The type of a file system whose telltales move: exFAT, F2FS or FAT.
func movingType(_ device: FileSystemReader) throws(Failure) -> String {
    if try device.bytes(at: 3, count: 8) == Array("EXFAT   ".utf8) { return "exfat" }
    let block = try device.bytes(at: f2fsOffset, count: 4)
    return try block.span.bytes.integer(at: 0, as: UInt32.self) == f2fsMagic ? "f2fs" : "vfat"
}

private let f2fsOffset: UInt64 = 1024, f2fsMagic: UInt32 = 0xf2f5_2010
