// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import MemoryImage

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

    /// Numbers of entries that end with a piece, with a block, and with neither.
    @Test(arguments: [0, 1, 124, 2043, 2044, 2045, 2046, 4092, 5000]) func isReadInPieces(count: Int) throws {
        #expect(try index(tinyEntries(count)) == tinyEntries(count))
    }

    /// Changes with a right checksum, and the reason of the refusal.
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
        expect("it is not an index", sealed { $0[0] ^= 1 })
        expect("it is not an index", sealed { $0.put(UInt32(31), at: 4) })
        expect("its length is not that of 2999 chunks", sealed { $0.put(UInt64(2999), at: 24) })
        expect("its length is not that of", sealed { $0.put(UInt64.max, at: 24) })
        expect("it belongs to another image", sealed { $0[8] ^= 1 })
        expect("it belongs to another image") { superblock, _ in superblock.counts.chunks += 1 }
        expect("it belongs to another image") { superblock, _ in superblock.counts.dataPages -= 1 }
        expect("it does not lie within the partition") { superblock, _ in superblock.indexExtent.byteCount = 1 << 40 }
        expect("it does not lie within the partition") { superblock, _ in superblock.indexExtent.byteCount = 0 }
    }
}
