// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import MemoryImage

@Suite struct SuperblockTests {
    private func example() throws -> Superblock {
        var superblock = Superblock(uuid: PartitionFile.uuid, label: "swap? née", deviceByteCount: 1 << 40)
        superblock.generation = 77
        superblock.state = .snapshot
        superblock.imageUUID = MemoryFixture.imageUUID
        superblock.time = 1_800_000_000
        superblock.descriptionExtent = .init(offset: 4096, byteCount: 5, checksum: 6)
        superblock.indexExtent = .init(offset: 8192, byteCount: 7, checksum: 8)
        superblock.counts.chunks = 1
        superblock.counts.dataPages = 2
        superblock.counts.zeroPages = 3
        superblock.counts.storedBytes = 4
        superblock.counts.milliseconds = 5
        superblock.counts.freePages = 6
        superblock.features = .indexBlocks
        superblock.refusals = 9
        superblock.isGivenUp = true
        superblock.codec = .zstd(level: -7)
        superblock.reason = "because"
        return superblock
    }

    @Test func readsWhatItWrites() throws {
        let superblock = try example()
        #expect(try Superblock(decoding: superblock.encoded()) == superblock)
    }

    @Test func noticesEveryFlippedBit() throws {
        let block = try example().encoded()
        for i in block.indices {
            var damaged = block
            damaged[i] ^= 1 << (i % 8)
            #expect(throws: Superblock.Refusal.self, "byte \(i)") { try Superblock(decoding: damaged) }
        }
    }

    @Test func tellsAnUnknownVersionFromDamage() throws {
        var block = try example().encoded()
        block.put(UInt32(9), at: 8)
        block.put(xxh64(block, count: 4088), at: 4088)
        #expect { try Superblock(decoding: block) } throws: { error in
            if case .unknownVersion(9)? = error as? Superblock.Refusal { true } else { false }
        }
        block.put(UInt32(2), at: 8)
        block.put(UInt32(99), at: 112)
        block.put(xxh64(block, count: 4088), at: 4088)
        #expect { try Superblock(decoding: block) } throws: { error in
            if case .damaged? = error as? Superblock.Refusal { true } else { false }
        }
    }
}
