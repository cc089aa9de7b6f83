// SPDX-License-Identifier: Apache-2.0
import Foundation

@testable import MemoryImage

/// What reads see, the writes in the cache, and the superblocks among them.
extension SimulatedDisk {
    func clear(_ buffer: UnsafeMutableRawBufferPointer, _ offset: Int, _ count: Int) {
        if let start = buffer.baseAddress { memset(start.advanced(by: offset), 0, count) }
    }

    func touch(_ offset: Int, _ count: Int) {
        var block = offset / blockSize
        while block * blockSize < offset + count {
            if !isTouched[block] {
                isTouched[block] = true
                touched.append(block)
            }
            block += 1
        }
        if offset + count > Int(Superblock.dataOffset) { dataVersion &+= 1 }
    }

    func store(_ buffer: UnsafeRawBufferPointer, at offset: Int) {
        guard buffer.count > 0, let source = buffer.baseAddress else { return }
        touch(offset, buffer.count)
        UnsafeMutableRawBufferPointer(rebasing: view.bytes[offset...]).copyMemory(from: buffer)
        pending.append(PendingWrite(offset: offset, count: buffer.count, source: logged(source, buffer.count)))
        noteCandidate(offset)
    }

    func zero(_ offset: Int, _ count: Int) {
        if count <= 0 { return }
        touch(offset, count)
        clear(view.bytes, offset, count)
        pending.append(PendingWrite(offset: offset, count: count, source: nil))
        noteCandidate(offset)
    }

    func logged(_ source: UnsafeRawPointer, _ count: Int) -> Int {
        if logCount + count > logCapacity {
            let capacity = max(2 * logCapacity, logCount + count)
            let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 4096)
            memcpy(larger, log, logCount)
            log.deallocate()
            log = larger
            logCapacity = capacity
        }
        memcpy(log.advanced(by: logCount), source, count)
        defer { logCount += count }
        return logCount
    }

    /// The bytes of a write in the cache; nil for zeros.
    func bytes(of write: PendingWrite) -> UnsafeRawPointer? {
        write.source.map { UnsafeRawPointer(log).advanced(by: $0) }
    }

    func clearCache() {
        pending.removeAll(keepingCapacity: true)
        logCount = 0
    }

    // MARK: Superblocks

    func noteCandidate(_ offset: Int) {
        guard offset < Int(Superblock.dataOffset) else { return }
        let newest = newestSlot(view.bytes)
        if !candidates.contains(newest) { candidates.append(newest) }
    }

    /// The superblock that was found after a power cut is the one that counts from now on.
    func settleCandidates() { candidates = [newestSlot(medium.bytes)] }

    /// The checksum of the block with the superblock that counts; 0 if there is none.
    func newestSlot(_ bytes: UnsafeMutableRawBufferPointer) -> UInt64 {
        var newest: (generation: UInt64, checksum: UInt64)?
        for offset in Superblock.slotOffsets {
            let block = UnsafeRawBufferPointer(rebasing: bytes[Int(offset)..<Int(offset) + Superblock.byteCount])
            let body = UnsafeRawBufferPointer(rebasing: block[..<(Superblock.byteCount - 8)])
            guard block.starts(with: Superblock.magic),
                block.loadUnaligned(fromByteOffset: body.count, as: UInt64.self) == xxh64(body)
            else { continue }
            let generation = block.loadUnaligned(fromByteOffset: 16, as: UInt64.self)
            if newest.map({ $0.generation < generation }) ?? true { newest = (generation, xxh64(block)) }
        }
        return newest?.checksum ?? 0
    }
}
