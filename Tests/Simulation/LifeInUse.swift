// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

@testable import Hibernation
@testable import MemoryImage

/// What kernels A and B do with the partition, by functions of the Hibernation module that take an open partition. The order
/// of their calls is copied from there, because the callers open partitions by their paths.
extension Life {
    /// The partition, as a program opens it.
    func open() -> HibernationPartition? {
        do throws(Failure) { return try HibernationPartition(disk) } catch {
            log("  cannot be opened: \(error)")
            return nil
        }
    }

    /// Whether a step may have failed: only if something went wrong on the disk.
    func requireDisturbance(_ failure: Failure) throws(Violation) {
        log("  failed: \(failure)")
        if disk.wasDisturbed || disk.mistake != nil { return }
        throw Violation(invariant: .undisturbed, detail: failure.description)
    }

    func useMachine() throws(Violation) {
        switch random.below(100) {
        case ..<62: try hibernate()
        case ..<74: try discard()
        case ..<82: try formatAgain()
        case ..<92:
            log("the power fails")
            disk.isOff = true
        default: if open() != nil { log("somebody looks at the partition") }
        }
    }

    /// `torpor hibernate`, with kernel B and its return or the end of the machine.
    private func hibernate() throws(Violation) {
        guard let partition = open() else { return }
        if partition.superblock.state.isPending { return log("a pending image forbids to hibernate") }
        let image = SavedImage(&random)
        images[image.uuid] = image
        let state: Superblock.State = random.chance(25) ? .snapshot : .ready
        let stop = random.chance(8) ? random.below(image.runs.count) : nil
        log("saves \(image.uuid) with \(image.codec) as \(state), \(image.runs.count) runs")
        let contentsEnd = Locked<UInt64>(0)
        statistics.saves += 1
        do throws(Failure) {
            try save(image, state, stop: stop) { end in contentsEnd.withLock { $0 = max($0, end) } }
            if stop == nil {
                statistics.completeImages += 1
                if isStolen { throw Failure("save", disk.path, Life.stolen) }
                if state == .ready {
                    pendingImage = image.uuid
                    disk.isOff = true
                    return
                }
            } else {
                log("  kernel B's child dies")
            }
        } catch {
            failedSaves.insert(image.uuid)
            if error.reason == Life.stolen {
                throw Violation(invariant: .nothingElseWritten, detail: Life.stolen)
            } else if isStolen || error.reason.contains("does not fit") {
                log("  failed: \(error)")
            } else {
                try requireDisturbance(error)
            }
        }
        if disk.isOff || isStolen { return }
        try continueSession(contentsEnd: random.chance(80) ? contentsEnd.withLock { $0 } : 0)
    }

    private static let stolen = "an image was completed on another's device"

    /// What kernel B does (`Save.run`).
    private func save(
        _ image: SavedImage, _ state: Superblock.State, stop: Int?, _ willWrite: @escaping @Sendable (UInt64) -> Void
    ) throws(Failure) {
        let partition = try HibernationPartition(disk)
        try requireNoPendingImage(partition.superblock, partition.path)
        if random.chance(2) { steal(.nothing) }
        let index = IndexWriter(
            partition, imageUUID: image.uuid, capacity: random.pick([1, 2, 3, IndexBlock.maximumEntries]))
        let writer = try ImageWriter(
            partition, imageUUID: image.uuid, codec: image.codec, index: index, willWrite: willWrite)
        do throws(Failure) {
            guard try image.write(writer, &random, memory: memory, stop: stop) else { return }
            if random.chance(2) { steal(.dataArea(end: partitionEnd)) }
            var description = ImageDescription()
            description.host = "simulated"
            try writer.finish(description, state: state) { 1 }
        } catch {
            try? writer.fail(error.description)
            throw error
        }
    }

    /// Somebody makes a file system on the device, and the superblock in slot 0 is gone.
    private func steal(_ writable: SimulatedDisk.Writable) {
        log("  somebody else takes the device")
        isStolen = true
        disk.preset([(0, [UInt8](repeating: 0, count: blockSize))])
        disk.content = random.pick([nil, "ext4"])
        disk.writable = writable
    }

    /// Kernel A goes on, after kernel B has jumped back or kernel C has resumed it (`Hibernate.run` and `eraseImage`).
    func continueSession(contentsEnd: UInt64) throws(Violation) {
        log("  the session goes on")
        do throws(Failure) {
            let partition = try HibernationPartition(disk)
            if partition.superblock.state.isPending {
                pendingImage = nil
                try Hibernate.giveUpPendingImage(on: partition)
                noteRetired(partition.superblock.imageUUID)
            }
        } catch { try requireDisturbance(error) }
        if disk.isOff { return }
        do throws(Failure) {
            let partition = try HibernationPartition(disk)
            let image = partition.superblock.imageUUID
            noteErased(image, try Hibernate.eraseImage(on: partition, contentsEnd: contentsEnd))
        } catch { try requireDisturbance(error) }
    }

    private func noteErased(_ image: UUID, _ how: Erasure?) {
        guard let how else { return }
        log("  erased by \(how.rawValue)")
        statistics.erasures += 1
        noteRetired(image)
        mustBeZero = Int(Superblock.dataOffset)..<partitionEnd
    }

    private func noteRetired(_ image: UUID) {
        over.insert(image)
        retired.insert(image)
    }

    /// `torpor discard`.
    private func discard() throws(Violation) {
        guard let partition = open() else { return }
        let image = partition.superblock.imageUUID
        log("discards \(image)")
        pendingImage = nil
        do throws(Failure) {
            try partition.discardImage()
            if image != .zero { noteRetired(image) }
            noteErased(image, try partition.eraseContents())
        } catch { try requireDisturbance(error) }
    }

    /// `torpor format`, on a partition that is one already.
    private func formatAgain() throws(Violation) {
        guard let partition = open() else { return }
        let isForced = random.chance(40)
        guard isForced || partition.superblock.isUnused else { return log("format refuses: it is in use") }
        pendingImage = nil
        isOurs = false
        format(isForced: isForced)
        limitWrites()
    }

    /// `Formatting.perform`. If it comes through, the device is ours.
    func format(isForced: Bool) {
        log("formats")
        do throws(Failure) {
            let verdict = try HibernationPartition.verdict(disk)
            if case .ours(let superblock, _) = verdict, superblock.contentsEnd > 0 {
                let partition = try HibernationPartition(disk)
                try partition.discardImage()
                _ = try partition.eraseContents()
            }
            let mayHideImage =
                switch verdict {
                case .ours, .foreign(_, wasOurs: false): false
                case .unusable, .foreign(_, wasOurs: true): true
                }
            disk.writable = .everything
            try HibernationPartition.format(disk, label: "", uuid: random.uuid(), mayHideImage: mayHideImage)
            if mayHideImage { _ = try HibernationPartition(disk).eraseContents() }
            isOurs = true
            partitionEnd = disk.size / blockSize * blockSize
            over.formUnion(images.keys)
            statistics.formats += 1
        } catch { log("  failed: \(error)") }
    }
}
