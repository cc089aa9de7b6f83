// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockStore
import Foundation
import Testing

@testable import MemoryImage

/// A partition in a file that discards in a way of its own.
private final class DiscardingStore: BlockStore, @unchecked Sendable {
    private let store: DeviceStore
    /// Is called with the range, and discards it or not.
    private let discards: (DeviceRange, DeviceStore) -> Bool

    init(_ file: PartitionFile, _ discards: @escaping (DeviceRange, DeviceStore) -> Bool) throws {
        store = try DeviceStore(file.path, .write)
        self.discards = discards
        super.init(path: file.path)
    }

    override func byteCount() throws(Failure) -> UInt64 { try store.byteCount() }
    override func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(Failure) {
        try store.read(into: buffer, at: offset)
    }
    override func write(_ buffer: UnsafeRawBufferPointer, at offset: UInt64) throws(Failure) {
        try store.write(buffer, at: offset)
    }
    override func flush() throws(Failure) { try store.flush() }
    override func discard(_ bytes: DeviceRange) -> Bool { discards(bytes, store) }
    override func zeroOut(_ bytes: DeviceRange) throws(Failure) { try store.zeroOut(bytes) }
    override func contentType() throws(Failure) -> String? { try store.contentType() }
}

/// After an image was resumed or given up, nothing of it is left on the disk.
@Suite struct ErasedContentsTests {
    /// A partition with an image in a state; the rest of it is full of bytes 0x77.
    private func partition(
        _ state: Superblock.State, pages: UInt64 = 600, size: UInt64 = 16 << 20
    ) throws -> (PartitionFile, HibernationPartition) {
        let file = try PartitionFile(size)
        let partition = try file.formatted()
        try file.put([UInt8](repeating: 0x77, count: Int(size) - 1 << 20), at: 1 << 20)
        try MemoryFixture(pageCount: pages).write(to: partition, .none)
        try partition.update { $0.state = state }
        return (file, partition)
    }

    private func expectErased(_ file: PartitionFile, upTo end: UInt64, _ state: Superblock.State) throws {
        let bytes = try file.bytes
        #expect(bytes[(1 << 20)..<Int(end)].allSatisfy { $0 == 0 }, "something is left")
        #expect(bytes[Int(end)...].allSatisfy { $0 == 0x77 }, "more was erased")
        // Neither slot names anything of the image.
        for offset in Superblock.slotOffsets {
            let slot = try Superblock(decoding: Array(bytes[Int(offset)..<Int(offset) + 4096]))
            #expect(slot.state == state && slot.contentsEnd == 0 && slot.counts == .init())
            #expect(slot.descriptionExtent == .init() && slot.indexExtent == .init())
            #expect(slot.isUnused)
        }
    }

    @Test(arguments: [Superblock.State.consumed, .failed, .empty])
    func erasesAnImageThatIsOver(state: Superblock.State) throws {
        let (file, partition) = try partition(state)
        let end = partition.superblock.counts.storedBytes
        #expect(partition.superblock.contentsEnd == end && end > 1 << 20 && !partition.superblock.isUnused)
        var steps: [UInt64] = []
        let how = try partition.eraseContents { done, total in
            steps.append(done)
            #expect(total == end - 1 << 20)
        }
        #expect(how == .discard, "a hole in a file")
        #expect(steps.last == end - 1 << 20)
        try expectErased(file, upTo: end, state)
        #expect(try partition.eraseContents() == nil, "nothing is left to erase")
    }

    @Test(arguments: [Superblock.State.ready, .attempted, .snapshot, .saving])
    func erasesNoImageThatWasNotGivenUp(state: Superblock.State) throws {
        let (file, partition) = try partition(state)
        let before = try file.bytes
        #expect(throws: Failure.self) { try partition.eraseContents() }
        #expect(try file.bytes == before)
        try partition.discardImage()
        let end = partition.superblock.contentsEnd
        #expect(end == (state == .saving ? 16 << 20 : end) && end > 1 << 20)
        #expect(try partition.eraseContents() != nil)
        try expectErased(file, upTo: end, .empty)
    }

    /// A device that claims to forget and forgets nothing or a part, or that says that it cannot.
    @Test(arguments: [(0, true), (1, true), (2, true), (0, false), (3, true)])
    func overwritesWhatTheDeviceKeeps(parts: UInt64, answer: Bool) throws {
        let (file, written) = try partition(.consumed, pages: 1500)
        let end = written.superblock.contentsEnd
        let store = try DiscardingStore(file) { bytes, store in
            let length = bytes.byteCount / 3 / 4096 * 4096 * parts
            let part = parts == 3 ? bytes : bytes.lowerBound..<bytes.lowerBound + length
            let isDiscarded = part.isEmpty || store.discard(part)
            #expect(isDiscarded)
            return answer
        }
        #expect(try HibernationPartition(store).eraseContents() == (parts == 3 ? .discard : .zeros))
        try expectErased(file, upTo: end, .consumed)
    }

    /// The power fails while the device forgets: both slots still say what is left, and that the image is over.
    @Test func saysWhatIsLeftUntilItIsErased() throws {
        let (file, partition) = try partition(.ready)
        try partition.update { $0.state = .attempted }
        try partition.update { $0.state = .consumed }
        let end = partition.superblock.contentsEnd
        let store = try DiscardingStore(file) { _, _ in
            for offset in Superblock.slotOffsets {
                let slot = (try? file.bytes).flatMap {
                    try? Superblock(decoding: Array($0[Int(offset)..<Int(offset) + 4096]))
                }
                #expect(slot?.state == .consumed && slot?.contentsEnd == end)
            }
            return false
        }
        #expect(try HibernationPartition(store).eraseContents() == .zeros)
    }

    @Test func knowsWhatAnImageThatFailedHasWritten() throws {
        let file = try PartitionFile()
        let partition = try file.formatted()
        let writer = try ImageWriter(partition, imageUUID: MemoryFixture.imageUUID, codec: .none)
        #expect(try HibernationPartition(file.path).superblock.contentsEnd == 16 << 20, "nobody knows how far it came")
        let builder = try writer.makeChunkBuilder()
        let page = [UInt8](repeating: 0x55, count: 4096)
        try page.withUnsafeBytes { try builder.addData(firstFrame: 0x8000, $0) }
        try builder.flush()
        try writer.fail("no")
        let end = try HibernationPartition(file.path).superblock.contentsEnd
        #expect(end > 1 << 20 && end < 2 << 20)
    }

    /// A smaller image was written over a larger one that was not erased: both are erased.
    @Test func remembersWhatEarlierImagesLeft() throws {
        let (file, partition) = try partition(.consumed, pages: 1500)
        let end = partition.superblock.contentsEnd
        try MemoryFixture(pageCount: 20).write(to: partition, .none)
        #expect(partition.superblock.counts.storedBytes < end && partition.superblock.contentsEnd == end)
        try partition.update { $0.state = .consumed }
        #expect(try partition.eraseContents() != nil)
        try expectErased(file, upTo: end, .consumed)
    }

    /// Whatever a forged superblock says, only the data area is erased.
    @Test(arguments: [0, 1, 1 << 20, 16 << 20 + 1, .max] as [UInt64]) func staysInThePartition(end: UInt64) throws {
        let file = try PartitionFile()
        let partition = try file.formatted()
        try partition.update { $0.recordedContentsEnd = end }
        try file.resize(17 << 20)
        try file.put([1], at: 16 << 20)
        let slots = try file.bytes.prefix(4096)
        #expect(try (HibernationPartition(file.path, .write).eraseContents() == nil) == (end <= 1 << 20))
        #expect(try file.bytes[16 << 20] == 1)
        #expect(try file.bytes.prefix(8) == slots.prefix(8))
    }
}
