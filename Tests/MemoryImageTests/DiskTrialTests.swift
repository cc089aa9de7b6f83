// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockStore
import Foundation
import Linux
import Testing

@testable import MemoryImage

/// A partition in a file that is slow, fails, or shows what is written.
private final class ObservedStore: BlockStore, @unchecked Sendable {
    private let store: DeviceStore
    /// Milliseconds that a write of a MiB takes.
    var millisecondsPerMebibyte = 0.0
    /// The number of the data write that fails.
    var failingWrite = Int.max
    /// Called before each write behind the superblocks.
    var whenWritten: (UnsafeRawBufferPointer, UInt64) -> Void = { _, _ in }
    private let count = Locked(0)

    init(_ file: PartitionFile) throws {
        store = try DeviceStore(file.path, .write)
        super.init(path: file.path)
    }

    override func byteCount() throws(Failure) -> UInt64 { try store.byteCount() }
    override func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(Failure) {
        try store.read(into: buffer, at: offset)
    }
    override func write(_ buffer: UnsafeRawBufferPointer, at offset: UInt64) throws(Failure) {
        if offset >= Superblock.dataOffset {
            let number = count.withLock { count in
                count += 1
                whenWritten(buffer, offset)
                return count
            }
            if number == failingWrite { throw Failure("write", path, "Input/output error") }
            let milliseconds = Double(buffer.count) / 1_048_576 * millisecondsPerMebibyte
            count.withLock { _ in Linux.sleep(milliseconds: Int(milliseconds)) }
        }
        try store.write(buffer, at: offset)
    }
    override func flush() throws(Failure) { try store.flush() }
    override func discard(_ bytes: DeviceRange) -> Bool { store.discard(bytes) }
    override func zeroOut(_ bytes: DeviceRange) throws(Failure) { try store.zeroOut(bytes) }
    override func contentType() throws(Failure) -> String? { try store.contentType() }
}

@Suite struct DiskTrialTests {
    private func partition() throws -> (PartitionFile, ObservedStore) {
        let file = try PartitionFile(64 << 20)
        _ = try file.formatted()
        return (file, try ObservedStore(file))
    }

    private func measure(_ store: ObservedStore, milliseconds: UInt64 = 200) throws -> DiskRates {
        try HibernationPartition(store).measureRates(pieceByteCount: 300_000, threads: 3, milliseconds: milliseconds)
    }

    @Test func leavesAnEmptyPartition() throws {
        let (file, store) = try partition()
        let rates = try measure(store)
        #expect(rates.write > 0 && rates.read > 0)
        #expect(try file.bytes[Int(Superblock.dataOffset)...].allSatisfy { $0 == 0 })
        let superblock = try HibernationPartition(file.path).superblock
        #expect(superblock.state == .empty && superblock.isUnused && superblock.contentsEnd == 0)
    }

    /// Before the first write, both superblocks say how far the data may reach. No block is written twice, and no two are
    /// equal.
    @Test func writesOnlyWhereTheSuperblocksSay() throws {
        let (file, store) = try partition()
        let blocks = Locked<Set<[UInt8]>>([]), offsets = Locked<[UInt64]>([])
        store.whenWritten = { buffer, offset in
            for start in stride(from: 0, to: buffer.count, by: 4096) {
                _ = blocks.withLock { $0.insert(Array(buffer[start..<start + 64])) }
                offsets.withLock { $0.append(offset + UInt64(start)) }
            }
            for slot in Superblock.slotOffsets {
                let bytes = (try? file.bytes).map { Array($0[Int(slot)..<Int(slot) + 4096]) } ?? []
                let end = (try? Superblock(decoding: bytes))?.contentsEnd ?? 0
                if end < offset + UInt64(buffer.count) { Issue.record("a write at \(offset) goes beyond \(end)") }
            }
        }
        // Slow, so that there are few writes, as each reads the file.
        store.millisecondsPerMebibyte = 40
        _ = try measure(store, milliseconds: 100)
        let written = offsets.withLock { $0 }
        #expect(!written.isEmpty && Set(written).count == written.count)
        #expect(blocks.withLock { $0.count } == written.count)
        #expect(written.allSatisfy { (Superblock.dataOffset..<63 << 20).contains($0) })
    }

    private func work(_ file: PartitionFile, threads: Int = 3, codec: Codec = .lz4) throws -> [TrialWork] {
        let pages = try TrialPages()
        let bytes = (0..<64 * 4096).map { UInt8(truncatingIfNeeded: $0 / 16) | 1 }
        bytes.withUnsafeBytes { pages.add(firstFrame: 0x8000, $0) }
        return try (0..<threads).map { _ in try TrialWork(DeviceStore(file.path), codec: codec, [pages]) }
    }

    /// Packing and writing together take no less time than packing alone, and stay within the area.
    @Test(arguments: [Codec.lz4, .none]) func measuresHowCPUsAndDiskSlowEachOtherDown(codec: Codec) throws {
        let (file, store) = try partition()
        store.millisecondsPerMebibyte = 4
        let end = Locked<UInt64>(0)
        store.whenWritten = { buffer, offset in end.withLock { $0 = max($0, offset + UInt64(buffer.count)) } }
        let rates = try HibernationPartition(store).measureRates(
            pieceByteCount: 300_000, threads: 3, milliseconds: 400, work: work(file, codec: codec))
        let save = try #require(rates.save), resume = try #require(rates.resume)
        #expect(save.alone > 0 && save.together > 0 && resume.alone > 0 && resume.together > 0)
        #expect(save.byteCount == resume.byteCount && save.byteCount > 0)
        #expect(end.withLock { $0 } <= 63 << 20)
        #expect(try file.bytes[Int(Superblock.dataOffset)...].allSatisfy { $0 == 0 })
        #expect(try HibernationPartition(file.path).superblock.isUnused)
    }

    /// On a very slow disk only the disk counts, and the time is short.
    @Test func leavesTheWorkOutOnASlowDisk() throws {
        let (file, store) = try partition()
        store.millisecondsPerMebibyte = 500
        let rates = try HibernationPartition(store).measureRates(
            pieceByteCount: 300_000, threads: 3, milliseconds: 200, work: work(file, codec: .none))
        #expect(rates.save == nil && rates.resume == nil && rates.write > 0)
    }

    /// A slow disk is measured with fewer bytes, not for longer.
    @Test func findsTheRateOfASlowDisk() throws {
        let (_, store) = try partition()
        // One write at a time: 5 MiB a second.
        store.millisecondsPerMebibyte = 200
        let start = monotonicMilliseconds()
        let rates = try measure(store, milliseconds: 800)
        #expect(rates.write < 6 << 20, "\(rates.write)")
        #expect(rates.write > 1 << 20, "\(rates.write)")
        #expect(monotonicMilliseconds() - start < 10_000)
    }

    @Test func erasesAfterAFailure() throws {
        let (file, store) = try partition()
        store.failingWrite = 4
        let failure = #expect(throws: Failure.self) { try measure(store) }
        #expect(failure?.reason == "Input/output error")
        #expect(try file.bytes[Int(Superblock.dataOffset)...].allSatisfy { $0 == 0 })
        #expect(try HibernationPartition(file.path).superblock.isUnused)
    }

    @Test(arguments: [Superblock.State.ready, .snapshot, .attempted, .failed, .saving, .consumed])
    func writesNothingIfContentsAreThere(state: Superblock.State) throws {
        let (file, store) = try partition()
        let partition = try HibernationPartition(file.path, .write)
        try MemoryFixture(pageCount: 300).write(to: partition, .none)
        try partition.update { $0.state = state }
        let before = try file.bytes
        let failure = #expect(throws: Failure.self) { try measure(store) }
        #expect(failure?.reason == "it holds an image or contents of one")
        #expect(try file.bytes == before)
    }

    /// After an image was erased, its partition can be measured, and stays `consumed`.
    @Test func measuresAfterAnImageWasErased() throws {
        let (file, store) = try partition()
        let partition = try HibernationPartition(file.path, .write)
        try MemoryFixture(pageCount: 300).write(to: partition, .none)
        try partition.update { $0.state = .consumed }
        _ = try partition.eraseContents()
        _ = try measure(store)
        let superblock = try HibernationPartition(file.path).superblock
        #expect(superblock.state == .consumed && superblock.isUnused)
    }

    /// A partition with the smallest data area is full soon.
    @Test func endsWithThePartition() throws {
        let file = try PartitionFile(4 << 20)
        _ = try file.formatted()
        let rates = try measure(try ObservedStore(file), milliseconds: 5000)
        #expect(rates.write > 0 && rates.read > 0)
    }
}
