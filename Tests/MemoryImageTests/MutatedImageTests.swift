// SPDX-License-Identifier: Apache-2.0
import Basics
import Fixtures
import Foundation
import Linux
import Testing

@testable import MemoryImage

/// Images that were changed by accident or on purpose, read as kernel C reads them. Each is refused, or every page comes
/// back as it was saved. Nothing is ever written outside the memory of the image.
///
/// With TORPOR_TORTURE set there are 10,000 of them.
@Suite struct MutatedImageTests {
    private static let isTorture = ProcessInfo.processInfo.environment["TORPOR_TORTURE"] != nil
    private let file: PartitionFile
    private let fixture = MemoryFixture(pageCount: 300)
    private let superblock: Superblock
    private let entries: [ChunkIndex.Entry]
    private let original: [UInt8]

    enum Kind: String, CaseIterable {
        case flippedBit, zeroedBlock, swappedBlocks, olderChunk, cutDevice
        /// With checksums that are computed again.
        case forgedSuperblock, forgedIndex, forgedTable, forgedHeader, forgedDescription
    }

    enum Outcome: String { case refused, unchanged, forged }

    init() throws {
        file = try PartitionFile(8 << 20)
        let partition = try file.formatted()
        // Chunks of an older, larger image lie behind those of this one.
        try MemoryFixture(pageCount: 500, seed: 9).write(
            to: partition, .none, image: Basics.UUID("bbbbbbbb-89ab-4cde-8f01-23456789abcd") ?? .zero)
        try partition.discardImage()
        try fixture.write(to: partition, .zstd(level: 1))
        superblock = partition.superblock
        entries = try ImageReader(HibernationPartition(file.path)).entries()
        original = try file.bytes
    }

    @Test func isRefusedOrComesOutAsItWentIn() throws {
        var random = Random(state: 7)
        var table: [String: Int] = [:]
        let handle = try #require(FileHandle(forUpdatingAtPath: file.path))
        for number in 0..<(Self.isTorture ? 10_000 : 450) {
            let kind = Kind.allCases[number % Kind.allCases.count]
            let changes = mutation(kind, &random)
            for change in changes { try write(change, to: handle) }
            if kind == .cutDevice { try handle.truncate(atOffset: random.below(UInt64(original.count))) }
            let outcome = try outcome(kind, number)
            table["\(kind.rawValue), \(outcome.rawValue)", default: 0] += 1
            if kind == .cutDevice {
                try handle.truncate(atOffset: 0)
                try write((0, original), to: handle)
            } else {
                for (offset, bytes) in changes.reversed() {
                    try write((offset, Array(original[offset..<offset + bytes.count])), to: handle)
                }
            }
        }
        #expect(try outcome(.flippedBit, -1) == .unchanged, "the image is whole in the end")
        for (line, count) in table.sorted(by: { $0.key < $1.key }) { print("mutated: \(line): \(count)") }
        // A kind of mutation that is never noticed tests nothing.
        for kind in Kind.allCases { #expect(table["\(kind.rawValue), refused", default: 0] > 0, "\(kind)") }
    }

    private func outcome(_ kind: Kind, _ number: Int) throws -> Outcome {
        do {
            let partition = try HibernationPartition(file.path)
            guard partition.superblock.state == .ready else { return .refused }
            let reader = try ImageReader(partition)
            let chunks = try reader.makeChunkReader()
            var sink = BoundedSink(allowed: Set(fixture.frames))
            var tally = PageTally()
            for entry in try reader.entries() { tally = tally + (try chunks.read(entry, into: &sink)) }
            sink.collecting.finish()
            let sum = fixture.frames.reduce(0) { $0 &+ PageTally.sum(of: $1..<$1 + 1) }
            guard tally.hasCounts(of: partition.superblock), tally.sum == sum else { return .refused }
            if sink.collecting.pages == fixture.pages { return .unchanged }
            // Without a key, whoever computes all checksums again can change pages.
            #expect(kind == .forgedHeader, "mutation \(number) (\(kind)) changed pages unseen")
            return .forged
        } catch {
            #expect(!error.reason.isEmpty)
            return .refused
        }
    }

    private typealias Change = (offset: Int, bytes: [UInt8])

    private func mutation(_ kind: Kind, _ random: inout Random) -> [Change] {
        let used = Int(superblock.counts.storedBytes)
        func block() -> Int { Int(random.below(UInt64(used / 4096))) * 4096 }
        func copied(_ from: Int, _ count: Int = 4096) -> [UInt8] { Array(original[from..<from + count]) }
        switch kind {
        case .flippedBit:
            let offset = Int(random.below(UInt64(used)))
            return [(offset, [original[offset] ^ 1 << UInt8(random.below(8))])]
        case .zeroedBlock: return [(block(), [UInt8](repeating: 0, count: 4096))]
        case .swappedBlocks:
            let (one, other) = (block(), block())
            return [(one, copied(other)), (other, copied(one))]
        case .olderChunk:
            // Chunks of the older image lie behind this one.
            let entry = entries[Int(random.below(UInt64(entries.count)))]
            let older = (used + 4095) / 4096 * 4096 + Int(random.below(64)) * 4096
            return [
                (Int(entry.offset), copied(min(older, original.count - Int(entry.byteCount)), Int(entry.byteCount)))
            ]
        case .cutDevice: return []
        case .forgedSuperblock:
            var changes: [Change] = []
            for offset in Superblock.slotOffsets {
                var slot = copied(Int(offset))
                slot[Int(random.below(520))] = UInt8(truncatingIfNeeded: random.next())
                slot.put(xxh64(slot, count: 4088), at: 4088)
                changes.append((Int(offset), slot))
            }
            return changes
        default: return forged(kind, &random)
        }
    }

    /// Changes one byte of a part of the image, and computes all checksums above it again.
    private func forged(_ kind: Kind, _ random: inout Random) -> [Change] {
        func changeByte(_ bytes: inout [UInt8], from start: Int = 0, to end: Int? = nil) {
            let place = start + Int(random.below(UInt64((end ?? bytes.count) - start)))
            bytes[place] = UInt8(truncatingIfNeeded: random.next())
        }
        do {
            let image = ForgedImage(bytes: original, superblock)
            switch kind {
            case .forgedDescription: image.changeDescription { changeByte(&$0) }
            case .forgedTable: try image.changeTable { changeByte(&$0) }
            case .forgedIndex: try image.changeBlock(0) { changeByte(&$0) }
            default:
                try image.changeChunk(Int(random.below(UInt64(entries.count)))) { chunk in
                    let size = chunk.withUnsafeBytes { Int($0.loadUnaligned(fromByteOffset: 4, as: UInt32.self)) }
                    changeByte(&chunk, from: 24, to: size)
                }
            }
            return image.changes
        } catch {
            Issue.record(error)
            return []
        }
    }

    private func write(_ change: Change, to handle: FileHandle) throws {
        try handle.seek(toOffset: UInt64(change.offset))
        try handle.write(contentsOf: Data(change.bytes))
    }
}

/// A sink that takes each page of the memory once, and no other page.
private struct BoundedSink: PageSink {
    let allowed: Set<UInt64>
    var collecting = CollectingSink()
    private var taken = 0

    init(allowed: Set<UInt64>) { self.allowed = allowed }

    mutating func memory(for addresses: PhysicalRange) throws(Failure) -> UnsafeMutableRawBufferPointer? {
        try leaveAlone(addresses)
        return try collecting.memory(for: addresses)
    }

    mutating func leaveAlone(_ addresses: PhysicalRange) throws(Failure) {
        let frames = addresses.lowerBound / pageSize..<addresses.upperBound / pageSize
        taken += frames.count
        guard taken <= allowed.count, frames.allSatisfy({ allowed.contains($0) }) else {
            throw Failure("write", "memory at \(hexadecimal(addresses))", "it is not memory that was saved")
        }
    }
}

/// Numbers that are the same in every run.
private struct Random {
    var state: UInt64
    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state >> 24
    }
    mutating func below(_ limit: UInt64) -> UInt64 { limit == 0 ? 0 : next() % limit }
}
