// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import MemoryImage

/// Superblocks of earlier and of later versions.
@Suite struct SuperblockVersionTests {
    /// A superblock of version 1. Its writer left zeros in fields that it did not know.
    private func versionOne(_ change: (inout [UInt8]) -> Void = { _ in }) -> [UInt8] {
        var superblock = Superblock(uuid: PartitionFile.uuid, label: "old", deviceByteCount: 8 << 20)
        superblock.state = .ready
        var block = superblock.encoded()
        block.put(UInt32(1), at: 8)
        change(&block)
        block.put(xxh64(block, count: 4088), at: 4088)
        return block
    }

    @Test(arguments: 0..<64) func refusesEachFeatureThatItDoesNotKnow(bit: UInt64) throws {
        var superblock = Superblock(uuid: .zero, label: "", deviceByteCount: 8 << 20)
        superblock.features = .init(rawValue: 1 << bit)
        if Superblock.Features.known.contains(superblock.features) {
            #expect(try Superblock(decoding: superblock.encoded()) == superblock)
            return
        }
        #expect { try Superblock(decoding: superblock.encoded()) } throws: { error in
            if case .unknownFeatures(superblock.features)? = error as? Superblock.Refusal { true } else { false }
        }
        // Then another field may mean anything, and its value is not damage.
        var block = superblock.encoded()
        block.put(UInt32(99), at: 112)
        block.put(xxh64(block, count: 4088), at: 4088)
        #expect { try Superblock(decoding: block) } throws: { error in
            if case .unknownFeatures? = error as? Superblock.Refusal { true } else { false }
        }
    }

    @Test func namesTheFeaturesAndARemedy() throws {
        let file = try PartitionFile(5 << 20)
        let partition = try file.formatted()
        try partition.update { $0.features = .init(rawValue: 1 << 3 | 1 << 17) }
        let failure = #expect(throws: Failure.self) { try HibernationPartition(file.path) }
        #expect(failure?.reason == "it needs features that this torpor lacks (bits 3, 17)")
        #expect(failure?.remedy?.hasPrefix("use a newer torpor") == true)
    }

    /// Readers of version 1 did not look at these bytes.
    @Test func versionOneHasNoFeatures() throws {
        let superblock = try Superblock(
            decoding: versionOne {
                $0.put(UInt64.max, at: 240)
                $0.put(UInt64(7), at: 512)
            })
        #expect(superblock.version == 1 && superblock.features == [] && superblock.counts.freePages == 0)
        #expect(superblock.dataArea == 1 << 20..<8 << 20)
    }

    @Test func versionOneStaysVersionOne() throws {
        var superblock = try Superblock(decoding: versionOne())
        superblock.state = .consumed
        superblock.refusals = 3
        let block = superblock.encoded()
        #expect(try block.span.bytes.integer(at: 8, as: UInt32.self) == 1)
        #expect(try Superblock(decoding: block) == superblock)
    }

    @Test(
        arguments: [
            (0, 1 << 20), (4096, 1 << 20), (2 << 20, 1 << 20), (4 << 20, 3 << 20), ((4 << 20) + 4095, 3 << 20),
            (1 << 40, (1 << 40) - 1 << 20), (.max, .max - 4095 - 1 << 20),
        ] as [(UInt64, UInt64)])
    func leavesTheLastMebibyteFree(deviceByteCount: UInt64, end: UInt64) {
        let superblock = Superblock(uuid: .zero, label: "", deviceByteCount: deviceByteCount)
        #expect(superblock.dataArea == 1 << 20..<end)
    }
}
