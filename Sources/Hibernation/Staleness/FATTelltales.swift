// SPDX-License-Identifier: Apache-2.0
import Basics

/// The cluster chains of a FAT or exFAT file system, followed up to a limit.
final class ClusterMap {
    /// The most bytes of directories that are read; more would take kernels B and C too long.
    private static let directoryLimit: UInt64 = 1 << 30

    let device: FileSystemReader
    let clusterByteCount: UInt64
    /// Byte offset of cluster 2, the first one.
    private let dataOffset: UInt64
    /// Cluster numbers are from 2 up to, not including, this.
    private let clusterEnd: UInt64
    /// Byte offset of the FAT.
    private let tableOffset: UInt64
    /// Bits in an entry of the FAT: 12, 16 or 32.
    private let entryBits: UInt64
    /// The page of the FAT that was read last.
    private var page: (offset: UInt64, bytes: [UInt8])?
    private var visited: Set<UInt64> = []
    private var directoryBytes: UInt64 = 0

    init(
        _ device: FileSystemReader, clusterByteCount: UInt64, dataOffset: UInt64, clusters: UInt64, tableOffset: UInt64,
        entryBits: UInt64
    ) throws(Failure) {
        self.device = device
        self.clusterByteCount = clusterByteCount
        self.dataOffset = dataOffset
        clusterEnd = clusters + 2
        self.tableOffset = tableOffset
        self.entryBits = entryBits
    }

    /// The bytes of a cluster, from the beginning of the device.
    /// - Throws: if there is no such cluster.
    func range(of cluster: UInt64) throws(Failure) -> DeviceRange {
        guard cluster >= 2, cluster < clusterEnd else {
            throw FileSystemReader.malformed("it refers to a cluster that does not exist")
        }
        let start = dataOffset + (cluster - 2) * clusterByteCount
        return start..<start + clusterByteCount
    }

    /// Records that a chain contains a cluster.
    /// - Throws: if a chain contained it before, as in a cycle.
    func visit(_ cluster: UInt64) throws(Failure) {
        guard visited.insert(cluster).inserted else { throw FileSystemReader.malformed("two chains share a cluster") }
    }

    /// Counts bytes that are read.
    /// - Throws: if the sum exceeds the limit.
    func count(_ bytes: UInt64) throws(Failure) {
        directoryBytes += bytes
        guard directoryBytes <= ClusterMap.directoryLimit else {
            throw FileSystemReader.malformed(
                "its directories take more than \(describe(bytes: ClusterMap.directoryLimit))")
        }
    }

    /// The next cluster of a chain; nil at its end.
    func next(_ cluster: UInt64) throws(Failure) -> UInt64? {
        let bit = cluster * entryBits
        let value: UInt64
        switch entryBits {
        case 12:
            let low = UInt64(try tableByte(bit / 8)), high = UInt64(try tableByte(bit / 8 + 1))
            value = (low | high << 8) >> (bit % 8) & 0xfff
            if value >= 0xff8 { return nil }
        case 16:
            value = UInt64(try tableByte(bit / 8)) | UInt64(try tableByte(bit / 8 + 1)) << 8
            if value >= 0xfff8 { return nil }
        default:
            var entry: UInt64 = 0
            for number in 0..<UInt64(4) { entry |= UInt64(try tableByte(bit / 8 + number)) << (number * 8) }
            // FAT32 uses 28 bits and reserves the others; exFAT uses all 32.
            value = isExtended ? entry : entry & 0x0fff_ffff
            if value >= (isExtended ? 0xffff_fff8 : 0x0fff_fff8) { return nil }
        }
        return value
    }

    /// Whether all 32 bits of an entry count, as in exFAT.
    var isExtended = false

    private func tableByte(_ offset: UInt64) throws(Failure) -> UInt8 {
        let position = tableOffset + offset
        let start = position & ~(pageSize - 1)
        if page?.offset != start {
            let count = Int(min(pageSize, device.byteCount - min(start, device.byteCount)))
            page = (start, try device.bytes(at: start, count: count))
        }
        guard let page, Int(position - start) < page.bytes.count else {
            throw FileSystemReader.malformed("its FAT extends beyond the end of the device")
        }
        return page.bytes[Int(position - start)]
    }
}

/// The telltales of FAT: the FAT itself and every directory, because each write to a file changes its size or its time there
/// (Microsoft, FAT32 File System Specification; fs/fat/inode.c). The dirty flag is useless: kernel A has set it itself.
func fatTelltales(_ device: FileSystemReader) throws(Failure) -> Telltales {
    let block = try device.bytes(at: 0, count: 512)
    let fields = block.span.bytes
    func short(_ offset: Int) throws(Failure) -> UInt64 { UInt64(try fields.integer(at: offset, as: UInt16.self)) }
    func long(_ offset: Int) throws(Failure) -> UInt64 { UInt64(try fields.integer(at: offset, as: UInt32.self)) }
    let sector = try short(11), sectorsPerCluster = UInt64(block[13]), reserved = try short(14)
    let tables = UInt64(block[16]), rootEntries = try short(17)
    let shortSize = try short(22)
    let tableSectors = shortSize != 0 ? shortSize : try long(36)
    let shortTotal = try short(19)
    let total = shortTotal != 0 ? shortTotal : try long(32)
    guard sector >= 512, sector <= 4096, sector.nonzeroBitCount == 1, sectorsPerCluster.nonzeroBitCount == 1,
        tables > 0,
        reserved > 0, tableSectors > 0
    else { throw FileSystemReader.malformed("its boot sector is malformed") }
    let rootSectors = (rootEntries * 32 + sector - 1) / sector
    let rootStart = reserved + tables * tableSectors
    let dataStart = rootStart + rootSectors
    guard total > dataStart, total * sector <= device.byteCount else {
        throw FileSystemReader.malformed("its boot sector is malformed")
    }
    let clusters = (total - dataStart) / sectorsPerCluster
    let bits: UInt64 = shortSize == 0 ? 32 : clusters > 0xff4 ? 16 : 12
    let map = try ClusterMap(
        device, clusterByteCount: sectorsPerCluster * sector, dataOffset: dataStart * sector, clusters: clusters,
        tableOffset: reserved * sector, entryBits: bits)
    var ranges: [DeviceRange] = [0..<pageSize, 0..<(reserved + tableSectors) * sector]
    // The first clusters of directories that have not been read.
    var pending: [UInt64] = []
    func scan(_ range: DeviceRange) throws(Failure) {
        try map.count(range.byteCount)
        let bytes = try device.bytes(at: range.lowerBound, count: Int(range.byteCount))
        ranges.append(range)
        let entries = bytes.span.bytes
        for start in stride(from: 0, to: bytes.count & ~31, by: 32) {
            // Skips free entries, long names, volume labels and files, and the names `.` and `..`.
            let first = bytes[start], attributes = bytes[start + 11]
            if first == 0 || first == 0xe5 || attributes & 0x18 != 0x10 || first == UInt8(ascii: ".") { continue }
            let low = UInt64(try entries.integer(at: start + 26, as: UInt16.self))
            let high = bits == 32 ? UInt64(try entries.integer(at: start + 20, as: UInt16.self)) : 0
            if low | high << 16 != 0 { pending.append(low | high << 16) }
        }
    }
    if bits == 32 {
        pending.append(try long(44))
    } else {
        try scan(rootStart * sector..<dataStart * sector)
    }
    while let first = pending.popLast() {
        var cluster: UInt64? = first
        while let current = cluster {
            try map.visit(current)
            try scan(try map.range(of: current))
            cluster = try map.next(current)
        }
    }
    return Telltales(ranges: ranges, areMoving: true)
}
