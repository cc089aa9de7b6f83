// SPDX-License-Identifier: Apache-2.0
import Foundation

/// All writes to a disk, in order. QEMU's blklogwrites driver records them in the format of dm-log-writes
/// (Documentation/admin-guide/device-mapper/log-writes.rst; drivers/md/dm-log-writes.c).
public struct WriteLog {
    public enum Entry {
        /// An offset in bytes on the disk, and the bytes written there.
        case write(offset: UInt64, bytes: Data)
        /// All writes before it are durable.
        case flush
    }

    public var entries: [Entry] = []

    public init(_ file: URL) throws {
        let log = try Data(contentsOf: file, options: .alwaysMapped)
        func number(_ offset: Int) -> UInt64 {
            log[offset..<offset + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        let magic: UInt64 = 0x6a73_6677_7368_72, sectorSize = 512
        guard log.count >= sectorSize, number(0) == magic, number(8) == 1 else {
            throw Machine.Failed(description: "\(file.path) is not a log of writes")
        }
        var place = sectorSize
        for _ in 0..<number(16) {
            // First sector, number of sectors, flags. The data begin at the next sector.
            let sector = number(place), count = Int(number(place + 8)) * sectorSize, flags = number(place + 16)
            place += sectorSize
            let flush: UInt64 = 1, forcedUnitAccess: UInt64 = 2, discard: UInt64 = 4
            if flags & flush != 0 { entries.append(.flush) }
            if count > 0, flags & discard == 0 {
                entries.append(
                    .write(offset: sector * UInt64(sectorSize), bytes: log.subdata(in: place..<place + count)))
                place += count
            }
            if flags & forcedUnitAccess != 0 { entries.append(.flush) }
        }
    }
}

/// A disk image that applies writes and undoes them.
public struct ReplayedDisk {
    private let file: FileHandle

    public init(_ image: URL) throws { file = try FileHandle(forUpdating: image) }

    /// Applies writes, in this order.
    /// - Returns: the writes that undo them, in the order in which to apply them.
    @discardableResult
    public func apply(_ writes: [(offset: UInt64, bytes: Data)]) throws -> [(offset: UInt64, bytes: Data)] {
        var undo: [(offset: UInt64, bytes: Data)] = []
        for (offset, bytes) in writes {
            try file.seek(toOffset: offset)
            undo.insert((offset, try file.read(upToCount: bytes.count) ?? Data()), at: 0)
            try file.seek(toOffset: offset)
            try file.write(contentsOf: bytes)
        }
        return undo
    }
}
