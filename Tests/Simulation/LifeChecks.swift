// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

@testable import MemoryImage

/// Looks at the disk, and compares it with what was promised.
extension Life {
    /// Looks at the disk after a step. If the power has failed, it comes back first.
    func look() throws(Violation) {
        let wasOff = disk.isOff
        if wasOff {
            statistics.powerCuts += 1
            disk.powerOn()
        } else if disk.wasDisturbed {
            statistics.errors += 1
        }
        if let misuse = disk.misuse { throw Violation(invariant: .nothingElseWritten, detail: misuse) }
        disk.isObserved = true
        defer { disk.isObserved = false }
        if isStolen { return }
        if !isOurs { return formatUndisturbed() }
        let partition: HibernationPartition
        do throws(Failure) { partition = try HibernationPartition(disk) } catch {
            throw Violation(invariant: .oldOrNew, detail: error.description)
        }
        let superblock = partition.superblock
        log("  on disk: \(superblock.state), generation \(superblock.generation), \(superblock.imageUUID)")
        let checksum = superblock.encoded().withUnsafeBytes { xxh64($0) }
        guard disk.candidates.contains(checksum) else {
            throw Violation(
                invariant: .oldOrNew, detail: "generation \(superblock.generation), \(superblock.state), is neither")
        }
        if wasOff { disk.settleCandidates(disk.medium.bytes) }
        statistics.looks += 1
        try checkImage(partition)
        try checkContents(superblock)
        try checkSlots()
    }

    /// A format that did not come through is done again, and comes through if nothing goes wrong.
    private func formatUndisturbed() {
        disk.plan = DiskPlan()
        format(isForced: true)
        limitWrites()
        mustBeZero = 0..<0
    }

    private func checkImage(_ partition: HibernationPartition) throws(Violation) {
        let superblock = partition.superblock, image = superblock.imageUUID
        if let pendingImage, image != pendingImage || !superblock.state.isPending {
            throw Violation(
                invariant: .pendingImageKept,
                detail: "\(pendingImage) was pending; the partition holds \(image), \(superblock.state)")
        }
        if superblock.state.isPending {
            if over.contains(image) {
                throw Violation(invariant: .atMostOnce, detail: "\(image) is \(superblock.state) again")
            }
            // Nobody has anything else of this session, so nothing may happen to it from here on; unless the last flush has
            // failed and the superblock is only in the cache.
            if disk.isSuperblockCertain { pendingImage = image }
        }
        guard superblock.state.isPending || superblock.state == .snapshot else { return }
        if let verified, verified == (image, disk.dataVersion) { return }
        let invariant = failedSaves.contains(image) ? Invariant.failedWrite : .complete
        guard let saved = images[image] else {
            throw Violation(invariant: invariant, detail: "nobody has saved \(image)")
        }
        var difference: String?
        do throws(Failure) {
            difference = try saved.difference(ImageReader(partition), memory: memory, scratch: scratch)
        } catch { difference = error.description }
        if let difference { throw Violation(invariant: invariant, detail: "\(image): \(difference)") }
        verified = (image, disk.dataVersion)
    }

    /// What lies behind the contents, and what was erased.
    private func checkContents(_ superblock: Superblock) throws(Violation) {
        let end = max(Int(superblock.contentsEnd), Int(Superblock.dataOffset))
        for block in disk.touched {
            let start = block * blockSize
            let isBehind = start >= end
            guard isBehind || mustBeZero.contains(start), !isZero(disk.view, start) || !isZero(disk.medium, start)
            else {
                continue
            }
            if mustBeZero.contains(start) {
                throw Violation(invariant: .erased, detail: "the block at \(start) was not erased")
            }
            throw Violation(
                invariant: .contentsKnown,
                detail:
                    "the block at \(start) is not zero, and the contents are said to end at \(superblock.contentsEnd)")
        }
        mustBeZero = 0..<0
    }

    private func isZero(_ buffer: borrowing Mapping, _ start: Int) -> Bool {
        Linux.isZero(UnsafeRawBufferPointer(rebasing: buffer.bytes[start..<min(start + blockSize, buffer.bytes.count)]))
    }

    /// Either slot alone: the other may be damaged some day.
    private func checkSlots() throws(Violation) {
        if retired.isEmpty { return }
        for offset in Superblock.slotOffsets {
            let slot = Array(disk.view.bytes[Int(offset)..<Int(offset) + Superblock.byteCount])
            guard let superblock = try? Superblock(decoding: slot), superblock.state == .ready else { continue }
            if retired.contains(superblock.imageUUID) {
                throw Violation(
                    invariant: .retiredInBothSlots, detail: "the slot at \(offset) has \(superblock.imageUUID) ready")
            }
        }
    }
}
