// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Testing

@testable import MemoryImage

/// Each way that an image can go, with one of the two superblocks damaged at each point. An image that was resumed or given
/// up never comes back.
@Suite struct AtMostOnceTests {
    /// A change of state as kernels A and C make it.
    enum Change: String, CaseIterable {
        case attempt, refuse, consume, leaveBehind, giveUp, discard

        func make(_ partition: HibernationPartition) throws {
            switch self {
            case .attempt: try partition.update { $0.state = .attempted }
            case .refuse: try partition.update { $0.state = .ready }
            case .consume: try partition.update { $0.state = .consumed }
            case .leaveBehind: try partition.retireImage { $0.state = .attempted }
            case .giveUp: try partition.retireImage { $0.state = .failed }
            case .discard: try partition.discardImage()
            }
        }
    }

    /// Ways that an image goes, and whether it may be ready again with its last slot damaged: only if it was not over.
    private static let ways: [(changes: [Change], mayWait: Bool)] = [
        ([], true), ([.attempt], true), ([.attempt, .refuse], true), ([.attempt, .refuse, .attempt], true),
        ([.attempt, .consume], false), ([.attempt, .refuse, .attempt, .consume], false),
        ([.leaveBehind], false), ([.attempt, .refuse, .leaveBehind], false), ([.giveUp], false), ([.discard], false),
        ([.attempt, .discard], false), ([.attempt, .consume, .discard], false),
    ]

    @Test(arguments: 0..<12) func staysWhatItBecame(number: Int) throws {
        let (changes, mayWait) = Self.ways[number]
        for slot in 0..<2 {
            for place in [0, 16, 112, 255, 4095] {
                let file = try PartitionFile(4 << 20)
                let partition = try file.formatted()
                try MemoryFixture(pageCount: 20).write(to: partition, .none)
                for change in changes { try change.make(partition) }
                let last = partition.superblock
                let newest = try newestSlot(file)
                try file.change(at: Superblock.slotOffsets[slot] + UInt64(place)) { $0 ^= 0x40 }
                if slot == 0 && place == 0 {
                    // Without the magic in slot 0 the partition is not ours, whatever the other slot says.
                    #expect(throws: Failure.self) { try HibernationPartition(file.path) }
                    continue
                }
                let found = try HibernationPartition(file.path).superblock
                let name = "\(changes.map(\.rawValue)), slot \(slot), byte \(place): \(found.state)"
                if slot != newest {
                    #expect(found == last, "\(name)")
                } else {
                    #expect(found.generation == last.generation - 1, "\(name)")
                    if !mayWait { #expect(found.state != .ready, "\(name)") }
                }
            }
        }
    }

    private func newestSlot(_ file: PartitionFile) throws -> Int {
        let bytes = try file.bytes
        let generations = try Superblock.slotOffsets.map { offset in
            try Superblock(decoding: Array(bytes[Int(offset)..<Int(offset) + Superblock.byteCount])).generation
        }
        return generations[0] > generations[1] ? 0 : 1
    }

    /// A power cut between the two writes of a retired image, and within either of them.
    @Test(arguments: [Change.leaveBehind, .giveUp, .discard]) func isRetiredOrAsBefore(change: Change) throws {
        let file = try PartitionFile(4 << 20)
        let partition = try file.formatted()
        try MemoryFixture(pageCount: 20).write(to: partition, .none)
        let before = partition.superblock
        let older = try file.bytes
        try change.make(partition)
        let newer = try file.bytes
        #expect(partition.superblock.generation == before.generation + 2)
        // The slot that did not count was written first.
        let counting = Int((before.generation - 1) % 2)
        for first in [0, 512, 4096] {
            for second in first == 4096 ? [0, 512, 4096] : [0] {
                var bytes = older
                for (slot, count) in [(1 - counting, first), (counting, second)] {
                    let start = Int(Superblock.slotOffsets[slot])
                    bytes.replaceSubrange(start..<start + count, with: newer[start..<start + count])
                }
                let torn = try PartitionFile(4 << 20)
                try Data(bytes).write(to: URL(filePath: torn.path))
                let state = try HibernationPartition(torn.path).superblock.state
                #expect(state == (first == 4096 ? partition.superblock.state : .ready), "\(first), \(second)")
            }
        }
    }
}
