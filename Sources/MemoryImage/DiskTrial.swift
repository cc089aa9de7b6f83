// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockStore
import Linux
import Synchronization

extension HibernationPartition {
    /// Bytes of the first round of a measurement. Each round writes twice as much as the one before.
    private static let firstRound: UInt64 = 256 << 10
    /// Bytes that a measurement writes at most.
    private static let largestTrial: UInt64 = 4 << 30

    /// Measures how fast the partition is written and read: writes data that does not compress to the beginning of the data
    /// area, reads it, and erases it again. A superblock that is written before says how far the data may reach, so that after
    /// a crash `torpor discard` erases it.
    ///
    /// It writes in rounds, each with a flush, because data may be in caches until then. A round that would end after the time
    /// limit is not begun, so a slow disk takes no longer; only the first round, of 256 KiB, takes as long as it takes.
    ///
    /// - Parameters:
    ///   - pieceByteCount: bytes of one write, whole blocks.
    ///   - count: the number of threads that write and read.
    ///   - milliseconds: the time for writing; reading takes half of it at most, and erasing about as long as writing.
    ///   - work: for each thread, what it does between its writes and reads. Measuring that takes as long as `milliseconds`;
    ///     it is omitted if the work is empty, or if the disk is so slow that nothing else counts.
    /// - Throws: if the partition holds an image or contents of one; nothing is written then.
    public func measureRates(
        pieceByteCount: Int, threads count: Int, milliseconds: UInt64, work: [TrialWork] = []
    ) throws(Failure) -> DiskRates {
        guard superblock.isUnused else {
            throw Failure(
                "measure the speed of", path, "it holds an image or contents of one",
                remedy: "erase them with: torpor discard \(path)")
        }
        try requireOurs()
        let start = dataArea.lowerBound
        let end = start + min(dataArea.byteCount, HibernationPartition.largestTrial)
        // Both slots, because the other one says that there is nothing to erase.
        try retireImage { $0.recordedContentsEnd = end }
        do throws(Failure) {
            let trial = try DiskTrial(store, start..<end, pieceByteCount: pieceByteCount, threads: count)
            let write = try trial.write(
                firstRound: HibernationPartition.firstRound, nanoseconds: milliseconds * 1_000_000)
            let read = try trial.read(nanoseconds: milliseconds * 500_000)
            var rates = DiskRates(write: write, read: read)
            if let slowdown = try trial.contention(of: work, nanoseconds: milliseconds * 250_000, rates) {
                (rates.save, rates.resume) = slowdown
            }
            try eraseTrial(upTo: trial.end)
            return rates
        } catch {
            try? eraseTrial(upTo: end)
            throw error
        }
    }

    private func eraseTrial(upTo end: UInt64) throws(Failure) {
        if superblock.contentsEnd != end { try update { $0.recordedContentsEnd = end } }
        _ = try eraseContents()
    }
}

/// One measurement of a disk.
private final class DiskTrial: @unchecked Sendable {
    private let store: BlockStore
    private let area: DeviceRange
    private let pieceByteCount: UInt64
    private let count: Int
    /// Data that no disk compresses.
    private let random: Mapping
    /// The byte at which the next piece begins, and the bytes that were read.
    private let next = Atomic<UInt64>(0)
    private let readByteCount = Atomic<UInt64>(0)
    private let passCount = Atomic<UInt64>(0)
    /// The byte at which the written data ends.
    private(set) var end: UInt64

    init(_ store: BlockStore, _ area: DeviceRange, pieceByteCount: Int, threads count: Int) throws(Failure) {
        self.store = store
        self.area = area
        self.pieceByteCount = UInt64(max(blockSize, pieceByteCount / blockSize * blockSize))
        self.count = max(1, count)
        let size = max(Int(self.pieceByteCount), ChunkHeader.maximumByteCount)
        random = try Mapping(anonymous: size)
        random.bytes.copyBytes(from: try randomBytes(size))
        end = area.lowerBound
    }

    /// Writes rounds until the time is up or the area is full.
    /// - Returns: the rate of the last round, in bytes per second.
    func write(firstRound: UInt64, nanoseconds limit: UInt64) throws(Failure) -> UInt64 {
        let start = monotonicNanoseconds()
        var round = firstRound
        var rate: UInt64 = 0
        while true {
            let bytes: DeviceRange = end..<end + min(round, area.upperBound - end)
            if bytes.isEmpty { break }
            end = bytes.upperBound
            let roundStart = monotonicNanoseconds()
            try share(bytes) { (buffer, offset) throws(Failure) in
                self.mark(buffer, offset)
                try self.store.write(UnsafeRawBufferPointer(buffer), at: offset)
            }
            try store.flush()
            let now = monotonicNanoseconds()
            // The last round may be short, because the area ends.
            if rate == 0 || bytes.byteCount == round { rate = bytesPerSecond(bytes.byteCount, now - roundStart) }
            if now - start + 2 * (now - roundStart) > limit { break }
            round *= 2
        }
        return rate
    }

    /// Reads what was written, until the time is up.
    /// - Returns: the rate, in bytes per second.
    func read(nanoseconds limit: UInt64) throws(Failure) -> UInt64 {
        let start = monotonicNanoseconds()
        try share(area.lowerBound..<end) { (buffer, offset) throws(Failure) in
            if monotonicNanoseconds() - start > limit { return }
            try self.store.read(into: buffer, at: offset)
            self.readByteCount.add(UInt64(buffer.count), ordering: .relaxed)
        }
        return bytesPerSecond(readByteCount.load(ordering: .relaxed), monotonicNanoseconds() - start)
    }

    /// Measures how CPUs and disk slow each other down, with writes and reads in the area that was written.
    /// - Parameters:
    ///   - limit: the time of each of four measurements.
    ///   - rates: of the disk alone.
    /// - Returns: nil if the disk is so slow that nothing else counts.
    func contention(
        of work: [TrialWork], nanoseconds limit: UInt64, _ rates: DiskRates
    ) throws(Failure) -> (save: Contention, resume: Contention)? {
        let byteCount = work.reduce(0) { $0 + UInt64($1.byteCount) }
        let largest = UInt64(work.reduce(0) { max($0, $1.largest) })
        guard byteCount > 0, end - area.lowerBound >= 4 * largest,
            Double(byteCount) < Double(min(rates.write, rates.read)) * Double(limit) / 1e9
        else { return nil }
        let packing = try repeating(work, limit) { (work, _) throws(Failure) in try work.pack { _ in } }
        let saving = try repeating(work, limit, flushes: true) { (work, buffer) throws(Failure) in
            try work.pack { (count) throws(Failure) in
                let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(count, buffer.count)])
                let offset = self.nextOffset(part.count)
                self.mark(part, offset)
                try self.store.write(UnsafeRawBufferPointer(part), at: offset)
            }
        }
        let unpacking = try repeating(work, limit) { (work, _) throws(Failure) in try work.unpack { _ in } }
        let resuming = try repeating(work, limit) { (work, buffer) throws(Failure) in
            try work.unpack { (count) throws(Failure) in
                let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(count, buffer.count)])
                try self.store.read(into: part, at: self.nextOffset(part.count))
            }
        }
        return (
            Contention(alone: packing, together: saving, byteCount: byteCount),
            Contention(alone: unpacking, together: resuming, byteCount: byteCount)
        )
    }

    /// The offset of the next write or read, in the area that was written; it begins anew at the end.
    private func nextOffset(_ count: Int) -> UInt64 {
        let size = UInt64(roundedUpToBlock(count))
        let position = next.add(size, ordering: .relaxed).oldValue % (end - area.lowerBound - size)
        return area.lowerBound + position / UInt64(blockSize) * UInt64(blockSize)
    }

    /// Repeats the work of all threads until the time is up.
    /// - Returns: nanoseconds in which every thread does its work once.
    private func repeating(
        _ work: [TrialWork], _ limit: UInt64, flushes: Bool = false,
        _ body: @escaping (TrialWork, UnsafeMutableRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) -> UInt64 {
        let queue = WorkQueue(work)
        let workers = Workers(count: work.count)
        next.store(0, ordering: .relaxed)
        passCount.store(0, ordering: .relaxed)
        let start = monotonicNanoseconds()
        try workers.run { () throws(Failure) in
            guard let own = queue.take() else { return }
            let memory = try Mapping(anonymous: max(blockSize, roundedUpToBlock(own.largest)), isPopulated: true)
            memory.bytes.copyBytes(from: self.random.bytes.prefix(memory.bytes.count))
            repeat {
                try body(own, memory.bytes)
                self.passCount.add(1, ordering: .relaxed)
            } while !workers.isStopping && monotonicNanoseconds() - start < limit
        }
        if flushes { try store.flush() }
        let count = max(1, passCount.load(ordering: .relaxed))
        return (monotonicNanoseconds() - start) * UInt64(work.count) / count
    }

    /// Makes each block different, so that no disk stores equal blocks once.
    private func mark(_ buffer: UnsafeMutableRawBufferPointer, _ offset: UInt64) {
        for start in stride(from: 0, to: buffer.count, by: blockSize) {
            buffer.storeBytes(of: offset + UInt64(start), toByteOffset: start, as: UInt64.self)
        }
    }

    /// Divides a range into pieces, and calls `body` for each of them on one of the threads.
    private func share(
        _ bytes: DeviceRange, _ body: @escaping (UnsafeMutableRawBufferPointer, UInt64) throws(Failure) -> Void
    ) throws(Failure) {
        let blocks = bytes.byteCount / UInt64(blockSize)
        let perThread = max(1, blocks / UInt64(count)) * UInt64(blockSize)
        let piece = min(pieceByteCount, perThread)
        next.store(bytes.lowerBound, ordering: .relaxed)
        let workers = Workers(count: count)
        try workers.run { () throws(Failure) in
            let memory = try Mapping(anonymous: Int(piece), isPopulated: true)
            memory.bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: self.random.bytes[..<Int(piece)]))
            while !workers.isStopping {
                let offset = self.next.add(piece, ordering: .relaxed).oldValue
                guard offset < bytes.upperBound else { return }
                let size = Int(min(piece, bytes.upperBound - offset))
                try body(UnsafeMutableRawBufferPointer(rebasing: memory.bytes[..<size]), offset)
            }
        }
    }

    private func bytesPerSecond(_ bytes: UInt64, _ nanoseconds: UInt64) -> UInt64 {
        UInt64(Double(bytes) * 1e9 / Double(max(1, nanoseconds)))
    }
}
