// SPDX-License-Identifier: Apache-2.0
import Basics

/// The telltales of exFAT: the FAT, the allocation bitmap and every directory, because each write to a file changes its size or
/// its time there (Microsoft, exFAT file system specification; fs/exfat/exfat_raw.h).
func exfatTelltales(_ device: FileSystemReader) throws(Failure) -> Telltales {
    let block = try device.bytes(at: 0, count: 512)
    let fields = block.span.bytes
    func long(_ offset: Int) throws(Failure) -> UInt64 { UInt64(try fields.integer(at: offset, as: UInt32.self)) }
    let sectorShift = UInt64(block[108]), clusterShift = UInt64(block[109]), tables = UInt64(block[110])
    guard Array(block[3..<11]) == Array("EXFAT   ".utf8), (9...12).contains(sectorShift),
        clusterShift <= 25 - sectorShift,
        tables == 1 || tables == 2
    else { throw FileSystemReader.malformed("its boot sector is malformed") }
    let tableStart = try long(80) << sectorShift
    let tableEnd = try tableStart + long(84) * tables << sectorShift
    let dataStart = try long(88) << sectorShift, clusters = try long(92),
        clusterByteCount = UInt64(1) << (sectorShift + clusterShift)
    guard tableStart < tableEnd, tableEnd <= dataStart, dataStart <= device.byteCount,
        clusters <= (device.byteCount - dataStart) >> (sectorShift + clusterShift)
    else { throw FileSystemReader.malformed("its boot sector is malformed") }
    // With two FATs, a flag selects the one in use.
    let isSecond = tables == 2 && block[106] & 1 != 0
    let map = try ClusterMap(
        device, clusterByteCount: clusterByteCount, dataOffset: dataStart, clusters: clusters,
        tableOffset: isSecond ? (tableStart + tableEnd) / 2 : tableStart, entryBits: 32)
    map.isExtended = true
    // The boot sector and the FATs; the walk adds the rest.
    var walk = ExFATWalk(map, ranges: [0..<pageSize, tableStart..<tableEnd])
    try walk.run(root: try long(96))
    return Telltales(ranges: walk.ranges, areMoving: true)
}

/// Follows all directories from the root, and collects their extents and those of the allocation bitmap.
private struct ExFATWalk {
    /// The clusters of a directory or of the allocation bitmap.
    private struct Item {
        var first: UInt64
        /// The number of contiguous clusters, which have no chain in the FAT; nil if the FAT has the chain.
        var count: UInt64?
        var isDirectory = true
    }

    private let map: ClusterMap
    private(set) var ranges: [DeviceRange]
    private var pending: [Item] = []
    /// Whether the previous entry is a directory, whose first cluster is in the next stream extension.
    private var isOfDirectory = false

    init(_ map: ClusterMap, ranges: [DeviceRange]) {
        self.map = map
        self.ranges = ranges
    }

    mutating func run(root: UInt64) throws(Failure) {
        pending.append(Item(first: root))
        while let item = pending.popLast() {
            isOfDirectory = false
            var cluster: UInt64? = item.first
            var left = item.count
            while let current = cluster, left != 0 {
                let range = try map.range(of: current)
                try map.visit(current)
                if item.isDirectory {
                    guard try scan(range) else { break }
                } else {
                    try map.count(range.byteCount)
                    ranges.append(range)
                }
                if let count = left {
                    left = count - 1
                    cluster = current + 1
                } else {
                    cluster = try map.next(current)
                }
            }
        }
    }

    /// Reads a cluster of a directory, up to the entry that ends the directory.
    /// - Returns: whether the directory continues in the next cluster.
    private mutating func scan(_ range: DeviceRange) throws(Failure) -> Bool {
        var start = range.lowerBound
        while start < range.upperBound {
            // Page by page: a cluster has up to 32 MiB, mostly unused.
            let piece: DeviceRange = start..<min(start + pageSize, range.upperBound)
            try map.count(piece.byteCount)
            let bytes = try map.device.bytes(at: piece.lowerBound, count: Int(piece.byteCount))
            ranges.append(piece)
            for entry in Swift.stride(from: 0, to: bytes.count & ~31, by: 32) {
                if bytes[entry] == 0 { return false }
                try readEntry(bytes, at: entry)
            }
            start = piece.upperBound
        }
        return true
    }

    private mutating func readEntry(_ bytes: [UInt8], at entry: Int) throws(Failure) {
        let fields = bytes.span.bytes
        let first = UInt64(try fields.integer(at: entry + 20, as: UInt32.self))
        let size: UInt64 = try fields.integer(at: entry + 24)
        switch bytes[entry] {
        // The allocation bitmap, which has a chain in the FAT.
        case 0x81: pending.append(Item(first: first, count: nil, isDirectory: false))
        // A file or directory; the stream extension after it has its first cluster.
        case 0x85: isOfDirectory = try fields.integer(at: entry + 4, as: UInt16.self) & 0x10 != 0
        case 0xc0:
            if isOfDirectory, first != 0 {
                // NoFatChain
                let isContiguous = bytes[entry + 1] & 2 != 0
                let (raised, overflow) = size.addingReportingOverflow(map.clusterByteCount - 1)
                guard !overflow else { throw FileSystemReader.malformed("a directory is too large") }
                pending.append(Item(first: first, count: isContiguous ? raised / map.clusterByteCount : nil))
            }
            isOfDirectory = false
        default: break
        }
    }
}
