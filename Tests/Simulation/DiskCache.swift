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

    /// Notes a superblock that was written, or a part of one.
    func noteCandidate(_ offset: Int) {
        guard offset < Int(Superblock.dataOffset) else { return }
        candidates.append(newestSlot(view.bytes))
        if let slot = Superblock.slotOffsets.firstIndex(of: UInt64(offset)), let valid = validSlot(slot, view.bytes) {
            attempts[slot].append(valid.checksum)
        }
    }

    /// A flush has succeeded, or the power came back: the superblock that counts now will still count after a power cut.
    ///
    /// A superblock whose write failed and left a torn slot may still come back: if a later write to that slot is torn too, its
    /// sectors may complete the earlier one.
    func settleCandidates(_ bytes: UnsafeMutableRawBufferPointer) {
        candidates = [newestSlot(bytes)]
        for slot in attempts.indices {
            if validSlot(slot, bytes) != nil { attempts[slot] = [] }
            candidates += attempts[slot]
        }
    }

    /// Whether no power cut can change which superblock counts.
    var isSuperblockCertain: Bool { candidates.allSatisfy { $0 == candidates.first } }

    /// Generation and checksum of the block in a slot; nil if it is not valid.
    private func validSlot(
        _ slot: Int, _ bytes: UnsafeMutableRawBufferPointer
    ) -> (generation: UInt64, checksum: UInt64)? {
        let offset = Int(Superblock.slotOffsets[slot])
        let block = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + Superblock.byteCount])
        let body = UnsafeRawBufferPointer(rebasing: block[..<(Superblock.byteCount - 8)])
        guard block.starts(with: Superblock.magic),
            block.loadUnaligned(fromByteOffset: body.count, as: UInt64.self) == xxh64(body)
        else { return nil }
        return (block.loadUnaligned(fromByteOffset: 16, as: UInt64.self), xxh64(block))
    }

    /// The checksum of the block with the superblock that counts; 0 if there is none.
    private func newestSlot(_ bytes: UnsafeMutableRawBufferPointer) -> UInt64 {
        guard let first = validSlot(0, bytes) else { return validSlot(1, bytes)?.checksum ?? 0 }
        guard let second = validSlot(1, bytes), second.generation > first.generation else { return first.checksum }
        return second.checksum
    }
}
