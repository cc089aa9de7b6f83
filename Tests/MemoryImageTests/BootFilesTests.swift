// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockStore
import Foundation
import Testing

@testable import MemoryImage

@Suite struct BootFilesTests {
    private static let area: UInt64 = 4 << 20
    private static func files(_ seed: UInt8, kernel: Int = 300_001, initrd: Int = 70_000) -> BootFiles {
        BootFiles(
            kernel: (0..<kernel).map { UInt8(truncatingIfNeeded: $0 * 7) ^ seed },
            initrd: (0..<initrd).map { UInt8(truncatingIfNeeded: $0 * 3) ^ seed },
            parameters: "mem=128M torpor.x=\(seed)")
    }

    private func partition(_ file: PartitionFile, area: UInt64 = BootFilesTests.area) throws -> HibernationPartition {
        try HibernationPartition.format(file.path, label: "", uuid: PartitionFile.uuid, bootAreaByteCount: area, [])
        return try HibernationPartition(file.path, .write)
    }

    @Test func keepsTheFilesThatWereStoredLast() throws {
        let file = try PartitionFile()
        let partition = try partition(file)
        #expect(try partition.readBootFiles() == nil)
        for seed: UInt8 in [1, 2, 3] {
            #expect(try partition.store(Self.files(seed)), "it wrote nothing")
            #expect(try HibernationPartition(file.path).readBootFiles() == Self.files(seed))
            // The same files are not written again.
            let generation = partition.superblock.generation
            #expect(try !partition.store(Self.files(seed)))
            #expect(partition.superblock.generation == generation)
        }
    }

    /// An image neither overwrites the boot files nor makes anybody forget them, and erasing it spares them.
    @Test func outlivesImages() throws {
        let file = try PartitionFile()
        let partition = try partition(file)
        _ = try partition.store(Self.files(5))
        try MemoryFixture(pageCount: 600).write(to: partition, .none)
        #expect(partition.superblock.indexExtent.offset >= Superblock.dataOffset + Self.area)
        #expect(try partition.readBootFiles() == Self.files(5))
        try ImageReader(HibernationPartition(file.path)).verify()
        try partition.discardImage()
        #expect(try partition.eraseContents() != nil)
        #expect(try HibernationPartition(file.path).readBootFiles() == Self.files(5))
        let data = Int(Superblock.dataOffset + Self.area)
        #expect(try file.bytes[data...].allSatisfy { $0 == 0 }, "contents of the image are left")
    }

    /// Stops storing after each write, as a power cut does.
    @Test func keepsTheOldFilesOrTheNewOnes() throws {
        let file = try PartitionFile(8 << 20)
        _ = try partition(file, area: 2 << 20).store(Self.files(1))
        let before = try file.bytes
        var counts: [Int: Int] = [:]
        for limit in 0..<20 {
            try file.put(before, at: 0)
            let store = LimitedStore(try DeviceStore(file.path, .write), writes: limit)
            let partition = try HibernationPartition(store)
            let isStored = (try? partition.store(Self.files(2))) ?? false
            let found = try HibernationPartition(file.path).readBootFiles()
            #expect(found == Self.files(1) || found == Self.files(2), "after \(limit) writes")
            #expect(!isStored || found == Self.files(2))
            counts[Int(found == Self.files(2) ? 2 : 1), default: 0] += 1
        }
        #expect(counts[1] ?? 0 > 2 && counts[2] ?? 0 > 2, "the cuts did not surround the change: \(counts)")
    }

    @Test(arguments: [0, 4095, 4096, 310_000, 390_000]) func refusesDamagedFiles(offset: Int) throws {
        let file = try PartitionFile()
        let partition = try partition(file)
        _ = try partition.store(Self.files(9))
        try file.change(at: Superblock.dataOffset + UInt64(offset)) { $0 ^= 1 }
        let isUsed = offset != 390_000
        if isUsed {
            let failure = #expect(throws: Failure.self) { try partition.readBootFiles() }
            #expect(failure?.description.contains("is damaged; start kernel C directly") == true)
        } else {
            #expect(try partition.readBootFiles() == Self.files(9), "a byte behind the files counts")
        }
        // Storing mends them.
        #expect(try partition.store(Self.files(9)) == isUsed)
        #expect(try partition.readBootFiles() == Self.files(9))
    }

    @Test func refusesFilesThatDoNotFit() throws {
        let file = try PartitionFile()
        let partition = try partition(file, area: 1 << 20)
        let before = try file.bytes
        let failure = #expect(throws: Failure.self) { try partition.store(Self.files(1, kernel: 500_000)) }
        #expect(
            failure?.description
                == "keep kernel and rootfs.gz on \(file.path): they have 568.0 KiB, and the partition has 512.0 KiB for them; "
                + "use a smaller kernel with --kernel, or format the partition again with: torpor format --boot-files 16M "
                + file.path)
        #expect(try file.bytes == before, "something was written")
        #expect(try partition.store(Self.files(1, kernel: 400_000)))
    }

    /// Parameters that no writer writes. A name may have letters that are not ASCII.
    @Test func refusesParametersThatAreNotText() throws {
        var block = BootFilesHeader(BootFiles(kernel: [], initrd: [], parameters: "torpor.device=LABEL=Schläfer"))
            .encoded()
        #expect(try BootFilesHeader(decoding: block).parameters == "torpor.device=LABEL=Schläfer")
        for byte in [UInt8(10), 0x7f, 0xff] {
            block[70] = byte
            #expect(throws: Failure.self) { try BootFilesHeader(decoding: block) }
        }
    }

    /// Sizes that no writer writes, with a right checksum.
    @Test func survivesForgedHeaders() throws {
        let file = try PartitionFile()
        let partition = try partition(file)
        _ = try partition.store(Self.files(4))
        for size in [UInt64.max, 1 << 62, 5 << 20, 257 << 20] {
            var header = BootFilesHeader(Self.files(4))
            header.kernelByteCount = size
            let bytes = header.encoded()
            try file.put(bytes, at: Int(Superblock.dataOffset))
            try partition.update { $0.bootFilesExtent.checksum = xxh64(bytes, count: bytes.count) }
            #expect(throws: Failure.self, "\(size)") { try partition.readBootFiles() }
        }
        for offset in [0, UInt64.max - 4095, 64 << 10, 5 << 20] {
            try partition.update { $0.bootFilesExtent.offset = offset }
            #expect(throws: Failure.self, "\(offset)") { try partition.readBootFiles() }
        }
    }

    /// The superblock of a partition whose boot files would reach beyond its end.
    @Test(arguments: [8191, 12 << 10, UInt64.max & ~8191, 16 << 20]) func refusesForgedAreas(byteCount: UInt64) throws {
        let file = try PartitionFile()
        let partition = try partition(file)
        var superblock = partition.superblock
        superblock.bootAreaByteCount = byteCount
        #expect(throws: Superblock.Refusal.self) { try Superblock(decoding: superblock.encoded()) }
    }

    @Test func formatsOnlyWithSpaceForAnImage() throws {
        let file = try PartitionFile(8 << 20)
        let before = try file.bytes
        for area: UInt64 in [5 << 20, 4097, UInt64.max] {
            #expect(throws: Failure.self) {
                try HibernationPartition.format(
                    file.path, label: "", uuid: PartitionFile.uuid, bootAreaByteCount: area, [])
            }
        }
        #expect(try file.bytes == before)
    }
}

/// A device that takes only so many writes, and ignores all others.
private final class LimitedStore: BlockStore, @unchecked Sendable {
    private let store: DeviceStore
    private var left: Int

    init(_ store: DeviceStore, writes: Int) {
        self.store = store
        left = writes
        super.init(path: store.path)
    }

    override func byteCount() throws(Failure) -> UInt64 { try store.byteCount() }
    override func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(Failure) {
        try store.read(into: buffer, at: offset)
    }
    override func write(_ buffer: UnsafeRawBufferPointer, at offset: UInt64) throws(Failure) {
        guard left > 0 else { throw Failure("write", path, "the power is off") }
        left -= 1
        // The last one is torn.
        let count = left == 0 && buffer.count > 4096 ? buffer.count / 2 & ~4095 : buffer.count
        try store.write(UnsafeRawBufferPointer(rebasing: buffer[..<count]), at: offset)
    }
    override func flush() throws(Failure) { try store.flush() }
    override func contentType() throws(Failure) -> String? { try store.contentType() }
}
