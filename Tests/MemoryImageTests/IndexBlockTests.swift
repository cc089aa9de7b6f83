// SPDX-License-Identifier: Apache-2.0
import Basics
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
