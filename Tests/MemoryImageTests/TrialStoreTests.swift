// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockStore
import Foundation
import Testing

@testable import MemoryImage

/// A whole image is written, and the partition does not change.
@Suite struct TrialStoreTests {
    private final class Written: @unchecked Sendable { var byteCount: UInt64 = 0 }

    private func saved(_ file: PartitionFile, _ written: Written = Written()) throws -> HibernationPartition {
        let store = TrialStore(try DeviceStore(file.path)) { written.byteCount += UInt64($0.count) }
        let partition = try HibernationPartition(store)
        try MemoryFixture(pageCount: 600).write(to: partition, .lz4)
        return partition
    }

    @Test func writesNothing() throws {
        let file = try PartitionFile()
        _ = try file.formatted()
        let before = try file.bytes
        let written = Written()
        let partition = try saved(file, written)
        #expect(try file.bytes == before)
        let superblock = partition.superblock
        #expect(superblock.state == .ready && superblock.counts.dataPages > 0)
        #expect(superblock.counts.storedBytes == superblock.dataArea.lowerBound + written.byteCount)
        // The superblock can be read back, and what is on the device is as before.
        try partition.makeDurable()
        #expect(partition.superblock == superblock)
        #expect(try HibernationPartition(file.path).superblock.state == .empty)
    }

    /// The same image takes the same space when it is written.
    @Test func countsWhatAnImageTakes() throws {
        let file = try PartitionFile()
        let real = try file.formatted()
        let trial = try saved(file)
        try MemoryFixture(pageCount: 600).write(to: real, .lz4)
        #expect(trial.superblock.counts == real.superblock.counts)
    }

    @Test func recordsAFailureInMemoryOnly() throws {
        let file = try PartitionFile()
        _ = try file.formatted()
        let before = try file.bytes
        let partition = try HibernationPartition(TrialStore(try DeviceStore(file.path)))
        let writer = try ImageWriter(partition, imageUUID: .zero, codec: .none)
        try writer.fail("a reason")
        #expect(partition.superblock.state == .failed && partition.superblock.reason == "a reason")
        #expect(try file.bytes == before)
    }

    @Test func refusesAnImageThatDoesNotFit() throws {
        let file = try PartitionFile(4 << 20)
        _ = try file.formatted()
        let partition = try HibernationPartition(TrialStore(try DeviceStore(file.path)))
        let failure = #expect(throws: Failure.self) { try MemoryFixture(pageCount: 3000).write(to: partition, .none) }
        #expect(failure?.reason.contains("does not fit") == true)
    }

    @Test func passesOnWhatTheDeviceHolds() throws {
        let file = try PartitionFile()
        try file.put([1, 2, 3], at: 5 << 20)
        let store = TrialStore(try DeviceStore(file.path))
        #expect(try store.byteCount() == 16 << 20 && store.contentType() == nil)
        #expect(!store.discard(0..<4096) && !store.eraseSignatures(within: nil))
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 4096)
        defer { buffer.deallocate() }
        try store.read(into: buffer, at: 5 << 20)
        #expect(buffer.prefix(3).elementsEqual([1, 2, 3]))
        try store.write(UnsafeRawBufferPointer(buffer), at: 6 << 20)
        store.zeroOut(0..<4096)
        store.flush()
        #expect(try file.bytes[6 << 20] == 0, "a write reached the device")
    }
}
