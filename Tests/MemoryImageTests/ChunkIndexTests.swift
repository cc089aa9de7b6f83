// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import Testing

@testable import MemoryImage

@Suite struct IndexBlockTests {
    private static let partition: DeviceRange = 1 << 20..<1 << 30
    private static let block = IndexBlock(
        imageUUID: MemoryFixture.imageUUID, number: 7,
        entries: [
            .init(offset: 1 << 20, byteCount: 8192, dataPages: 4, sequence: 1, headerChecksum: 3),
            .init(offset: (1 << 30) - 4096, byteCount: 4096, dataPages: 0, sequence: 0, headerChecksum: 9),
        ])
    private static let table = IndexTable(
        imageUUID: MemoryFixture.imageUUID,
        rows: [
            .init(extent: .init(offset: 1 << 20, byteCount: 128 + 32, checksum: 5), dataPages: 256),
            .init(extent: .init(offset: 2 << 20, byteCount: 128 + 2044 * 32, checksum: 6), dataPages: 0),
        ])

    @Test func readsWhatItWrites() throws {
        let block = try IndexBlock(decoding: Self.block.encoded(), partition: Self.partition)
        #expect(block.entries == Self.block.entries && block.number == 7 && block.dataPages == 4)
        #expect(block.imageUUID == Self.block.imageUUID)
        let table = try IndexTable(decoding: Self.table.encoded(), partition: Self.partition)
        #expect(table.rows == Self.table.rows && table.rows.map(\.chunks) == [1, 2044])
        #expect(table.imageUUID == Self.table.imageUUID)
        #expect(
            try IndexTable(decoding: IndexTable(imageUUID: .zero, rows: []).encoded(), partition: Self.partition).rows
                == [])
    }

    @Test func refusesEveryTruncation() {
        for (bytes, isBlock) in [(Self.block.encoded(), true), (Self.table.encoded(), false)] {
            for count in bytes.indices {
                #expect(throws: Failure.self, "\(count) bytes") {
                    if isBlock {
                        _ = try IndexBlock(decoding: Array(bytes.prefix(count)), partition: Self.partition)
                    } else {
                        _ = try IndexTable(decoding: Array(bytes.prefix(count)), partition: Self.partition)
                    }
                }
            }
        }
    }

    private nonisolated(unsafe) static let mistakes: [(inout ChunkIndex.Entry) -> Void] = [
        { $0.offset = 0 }, { $0.offset += 1 }, { $0.offset = 1 << 30 }, { $0.offset = UInt64.max - 4095 },
        { $0.byteCount = 0 }, { $0.byteCount = 4097 }, { $0.byteCount = 0xffff_f000 }, { $0.dataPages = 257 },
    ]

    @Test func refusesChunksThatAreNotOnThePartition() {
        for (number, change) in Self.mistakes.enumerated() {
            var block = Self.block
            change(&block.entries[0])
            #expect(throws: Failure.self, "mistake \(number)") {
                try IndexBlock(decoding: block.encoded(), partition: Self.partition)
            }
        }
    }

    private nonisolated(unsafe) static let wrongRows: [(inout IndexTable.Row) -> Void] = [
        { $0.extent.offset = 0 }, { $0.extent.offset += 512 }, { $0.extent.offset = 1 << 30 },
        { $0.extent.offset = .max - 4095 }, { $0.extent.byteCount = 128 }, { $0.extent.byteCount = 170 },
        { $0.extent.byteCount = 65_568 }, { $0.dataPages = 257 }, { $0.dataPages = .max },
        { $0.extent.offset = 3 << 20 },
    ]

    @Test func refusesBlocksThatAreNotOnThePartition() {
        for (number, change) in Self.wrongRows.enumerated() {
            var table = Self.table
            change(&table.rows[0])
            #expect(throws: Failure.self, "mistake \(number)") {
                try IndexTable(decoding: table.encoded(), partition: Self.partition)
            }
        }
    }

    @Test func refusesCountsThatWouldNotFit() {
        for count: UInt64 in [0, 1, 3, 1 << 32, 1 << 59, .max] {
            var block = Self.block.encoded(), table = Self.table.encoded()
            block.put(count, at: 24)
            table.put(count, at: 24)
            #expect(throws: Failure.self) { try IndexBlock(decoding: block, partition: Self.partition) }
            #expect(throws: Failure.self) { try IndexTable(decoding: table, partition: Self.partition) }
        }
        let empty = IndexBlock(imageUUID: .zero, number: 0, entries: []).encoded()
        #expect(throws: Failure.self) { try IndexBlock(decoding: empty, partition: Self.partition) }
    }
}

/// The index of an image of version 1.
@Suite struct ContiguousIndexTests {
    private func index(
        _ entries: [ChunkIndex.Entry], byteCount: UInt64 = 64 << 20,
        _ change: (inout Superblock, inout [UInt8]) -> Void = { _, _ in }
    ) throws -> [ChunkIndex.Entry] {
        let file = try PartitionFile()
        try file.writeVersionOne(entries, byteCount: byteCount, change)
        return try ImageReader(HibernationPartition(file.path)).entries()
    }

    /// As many as end a piece, a block, and neither.
    @Test(arguments: [0, 1, 124, 2043, 2044, 2045, 2046, 4092, 5000]) func isReadInPieces(count: Int) throws {
        #expect(try index(tinyEntries(count)) == tinyEntries(count))
    }

    /// Changes that are signed for with the right checksum, and what is said of them.
    private nonisolated(unsafe) static let mistakes: [(reason: String, change: (inout [ChunkIndex.Entry]) -> Void)] = [
        ("does not lie within the partition, behind the one before it", { $0[10].offset += 1 }),
        ("does not lie within the partition, behind the one before it", { $0[10].byteCount = 8192 }),
        ("does not lie within the partition, behind the one before it", { $0.swapAt(10, 11) }),
        // The last of a piece and the first of the next.
        ("its chunks are not in order", { $0.swapAt(2043, 2044) }),
        ("its chunks are not in order", { $0[2044].offset = $0[2043].offset }),
    ]

    @Test func refusesChunksOutOfOrder() throws {
        for (number, mistake) in Self.mistakes.enumerated() {
            var entries = tinyEntries(3000)
            mistake.change(&entries)
            let failure = #expect(throws: Failure.self, "mistake \(number)") { try index(entries) }
            #expect(failure?.reason.contains(mistake.reason) == true, "mistake \(number): \(failure?.reason ?? "")")
        }
    }

    @Test func refusesWhatIsNotTheIndexOfTheImage() throws {
        let entries = tinyEntries(3000)
        func expect(_ reason: String, _ change: (inout Superblock, inout [UInt8]) -> Void) {
            let failure = #expect(throws: Failure.self, "\(reason)") { try index(entries, change) }
            #expect(failure?.reason.contains(reason) == true, "\(failure?.reason ?? "")")
        }
        func sealed(_ change: @escaping (inout [UInt8]) -> Void) -> (inout Superblock, inout [UInt8]) -> Void {
            { superblock, index in
                change(&index)
                superblock.indexExtent.checksum = xxh64(index)
            }
        }
        // In the first piece, in the last, and in the padding behind it.
        for place in [0, 200, 70_000, 96_000] {
            expect("its checksum is wrong") { _, index in index[place] ^= 1 }
        }
        expect("its checksum is wrong") { _, index in index.append(1) }
        expect("it is none", sealed { $0[0] ^= 1 })
        expect("it is none", sealed { $0.put(UInt32(31), at: 4) })
        expect("its length is not that of 2999 chunks", sealed { $0.put(UInt64(2999), at: 24) })
        expect("its length is not that of", sealed { $0.put(UInt64.max, at: 24) })
        expect("it belongs to another image", sealed { $0[8] ^= 1 })
        expect("it belongs to another image") { superblock, _ in superblock.counts.chunks += 1 }
        expect("it belongs to another image") { superblock, _ in superblock.counts.dataPages -= 1 }
        expect("it does not lie within the partition") { superblock, _ in superblock.indexExtent.byteCount = 1 << 40 }
        expect("it does not lie within the partition") { superblock, _ in superblock.indexExtent.byteCount = 0 }
    }
}

/// Chunks that add up to more than there is: nobody reads the partition over and over.
@Suite struct IndexBoundTests {
    @Test func chunksAreNoMoreThanThePartitionHolds() throws {
        let file = try PartitionFile(4 << 20)
        let partition = try file.formatted()
        try partition.beginImage(MemoryFixture.imageUUID, .none, .indexBlocks)
        // Three blocks that all name the same chunks: 1 MiB each, where there are 2 MiB.
        var next: UInt64 = 2 << 20
        let index = IndexWriter(partition, imageUUID: MemoryFixture.imageUUID, capacity: 256)
        func reserve(_ count: Int) throws(Failure) -> UInt64 {
            defer { next += UInt64(roundedUpToBlock(count)) }
            return next
        }
        for _ in 0..<3 { for entry in tinyEntries(256) { try index.add(entry, reserve: reserve) } }
        let description = ImageDescription().encoded()
        let descriptionExtent = try partition.write(
            description, "the description", at: try reserve(description.count), limit: 4096)
        let extent = try index.finish(reserve: reserve)
        try partition.update { superblock in
            superblock.state = .ready
            superblock.indexExtent = extent
            superblock.descriptionExtent = descriptionExtent
            superblock.counts.chunks = 3 * 256
            superblock.counts.dataPages = 3 * tinyEntries(256).reduce(0) { $0 + UInt64($1.dataPages) }
        }
        let failure = #expect(throws: Failure.self) { try ImageReader(HibernationPartition(file.path)) }
        #expect(failure?.reason == "its chunks are more than the partition holds")
    }
}

/// Memory does not grow with the image: not the writer's, not the reader's.
@Suite(.serialized) struct IndexMemoryTests {
    /// Chunks of an image of 1 TiB.
    private static let chunkCount = 1 << 20
    /// What it may grow by; all entries at once have 32 MiB.
    private static let limit: UInt64 = 6 << 20

    /// How much more memory a child of this process takes at its peak for what `body` does.
    private func growth(_ body: @escaping () throws(Failure) -> Void) throws -> UInt64 {
        blockChildSignal()
        let result = try Mapping(anonymous: 4096, isShared: true)
        let word = result.bytes
        let child = try forkChild {
            do throws(Failure) {
                let before = try peakMemory()
                try body()
                word.storeBytes(of: try peakMemory() - before + 1, as: UInt64.self)
                return 0
            } catch { return 1 }
        }
        while try wait(for: child, milliseconds: 1000) == nil {}
        let value = result.bytes.load(as: UInt64.self)
        try #require(value > 0, "the child has failed")
        return value - 1
    }

    private static func entry(_ number: Int) -> ChunkIndex.Entry {
        ChunkIndex.Entry(
            offset: 1 << 20 + UInt64(number) * 4096, byteCount: 4096, dataPages: 1, sequence: UInt64(number),
            headerChecksum: UInt64(number) &* 3)
    }

    /// Writes the index of an image of tiny chunks, which are not there themselves.
    private static func writeIndex(_ partition: HibernationPartition) throws(Failure) {
        try partition.beginImage(MemoryFixture.imageUUID, .none, .indexBlocks)
        var next: UInt64 = 1 << 20 + UInt64(chunkCount) * 4096
        func reserve(_ count: Int) throws(Failure) -> UInt64 {
            defer { next += UInt64(roundedUpToBlock(count)) }
            return next
        }
        let index = IndexWriter(partition, imageUUID: MemoryFixture.imageUUID)
        for number in 0..<chunkCount {
            // Workers end in another order than they began in.
            try index.add(entry(number ^ 3), reserve: reserve)
        }
        let description = ImageDescription().encoded()
        let descriptionExtent = try partition.write(
            description, "the description", at: try reserve(description.count), limit: 4096)
        let extent = try index.finish(reserve: reserve)
        try partition.update { superblock in
            superblock.state = .ready
            superblock.indexExtent = extent
            superblock.descriptionExtent = descriptionExtent
            superblock.counts.chunks = UInt64(chunkCount)
            superblock.counts.dataPages = UInt64(chunkCount)
        }
    }

    /// Takes all chunks, which come in the order of their numbers, and opens the image for that.
    private static func readIndex(_ path: String) throws(Failure) {
        let queue = ChunkQueue(try ImageReader(HibernationPartition(path)))
        var number = 0
        while let found = try queue.take() {
            guard found == entry(number) else { throw Failure("read", "chunk \(number)", "it is another one") }
            number += 1
        }
        guard number == chunkCount else { throw Failure("read", "the index", "it has \(number) chunks") }
    }

    @Test func isBoundedForAMillionChunks() throws {
        let file = try PartitionFile(5 << 30)
        let partition = try file.formatted()
        let writing = try growth { () throws(Failure) in try Self.writeIndex(partition) }
        #expect(writing < Self.limit, "writing took \(writing) bytes")
        let path = file.path
        let reading = try growth { () throws(Failure) in try Self.readIndex(path) }
        #expect(reading < Self.limit, "reading took \(reading) bytes")
    }

    @Test func isBoundedForAMillionChunksOfVersionOne() throws {
        let file = try PartitionFile(0)
        try file.writeVersionOne((0..<Self.chunkCount).map(Self.entry), byteCount: 5 << 30)
        let path = file.path
        let reading = try growth { () throws(Failure) in try Self.readIndex(path) }
        #expect(reading < Self.limit, "reading took \(reading) bytes")
    }
}

/// The chunks of an image, for many workers.
@Suite struct ChunkQueueTests {
    @Test func givesEachChunkOnce() throws {
        let file = try PartitionFile()
        let partition = try file.formatted()
        let writer = try ImageWriter(
            partition, imageUUID: MemoryFixture.imageUUID, codec: .none,
            index: IndexWriter(partition, imageUUID: MemoryFixture.imageUUID, capacity: 3))
        let builder = try writer.makeChunkBuilder()
        for number in 0..<100 as Range<UInt64> {
            try builder.addZeros(firstFrame: number * 10, count: 1)
            try builder.flush()
        }
        try writer.finish(ImageDescription(), state: .ready) { 0 }
        let reader = try ImageReader(HibernationPartition(file.path))
        for _ in 0..<2 {
            let queue = ChunkQueue(reader)
            let taken = Locked<[UInt64]>([])
            try Workers(count: 8).run { () throws(Failure) in
                while let entry = try queue.take() { taken.withLock { $0.append(entry.sequence) } }
            }
            #expect(taken.withLock { $0.sorted() } == Array(0..<100))
            #expect(try queue.take() == nil)
        }
        try reader.verify()
        try reader.verify()
    }
}
