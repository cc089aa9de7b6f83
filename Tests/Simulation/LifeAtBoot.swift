// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

@testable import Hibernation
@testable import MemoryImage

/// What kernel C does with the partition; see `LifeInUse`.
extension Life {
    /// The next boot.
    func boot() throws(Violation) {
        log("boots")
        machine = .running
        guard let partition = open() else { return }
        let superblock = partition.superblock
        log("  finds \(superblock.state)\(superblock.isGivenUp ? ", given up" : ""), \(superblock.imageUUID)")
        let image = superblock.imageUUID
        let early = ResumeRefusal(reason: "a disk is missing", isFinal: random.chance(20), image: image)
        switch (superblock.state, random.below(100)) {
        case (.ready, ..<60): try resume(partition, isRetrying: false)
        case (.ready, ..<80): try refuse(early, isRetrying: false)
        case (.ready, ..<92): try giveUpForRoot(early)
        case (.attempted, ..<30) where !superblock.isGivenUp: try resume(partition, isRetrying: true)
        case (.attempted, ..<50) where !superblock.isGivenUp: try allowAttempt()
        case (.attempted, ..<70) where !superblock.isGivenUp: try refuse(early, isRetrying: random.chance(20))
        case (.attempted, ..<85) where !superblock.isGivenUp: try giveUpForRoot(early)
        case (.ready, _), (.attempted, _): machine = random.chance(70) ? .off : .running
        // A new session begins.
        default: break
        }
    }

    /// `Restore.run`, the jump, and how a refusal is noted.
    private func resume(_ partition: HibernationPartition, isRetrying: Bool) throws(Violation) {
        let image = partition.superblock.imageUUID
        var refusal = ResumeRefusal(reason: "", image: image)
        var difference: String?
        do throws(Failure) {
            let reader = try ImageReader(partition)
            refusal.hasAttempted = true
            try partition.update { $0.beginAttempt() }
            if random.chance(8) {
                log("  the child dies")
                refusal.isClean = false
                throw Failure("restore", "", "the child died")
            }
            difference = try images[image]?.difference(reader, memory: memory, scratch: scratch)
        } catch {
            log("  refused: \(error)")
            if disk.isOff { return }
            return try refuse(refusal, isRetrying: isRetrying)
        }
        if let difference { throw Violation(invariant: .complete, detail: "\(image) was restored, but \(difference)") }
        // From here on it may be over.
        pendingImage = nil
        var isConsumed = true
        do throws(Failure) {
            try partition.update { superblock in
                superblock.state = .consumed
                superblock.refusals = 0
            }
        } catch {
            log("  not consumed: \(error)")
            if disk.isOff { return }
            isConsumed = consumedImageIsDurable(image)
        }
        if disk.isOff { return }
        if isConsumed, random.chance(6) {
            log("  the running kernel refuses the jump")
            refusal.consumedImage = image
            return try refuse(refusal, isRetrying: isRetrying)
        }
        guard isConsumed else { return try refuse(refusal, isRetrying: isRetrying) }
        log("  resumes")
        statistics.resumes += 1
        if !resumed.insert(image).inserted {
            throw Violation(invariant: .atMostOnce, detail: "\(image) was resumed twice")
        }
        over.insert(image)
        machine = .running
        try continueSession(contentsEnd: 0)
    }

    /// Whether the image is marked `consumed` although the child has not said so (`RestoreRole.isConsumed`).
    private func consumedImageIsDurable(_ image: UUID) -> Bool {
        guard let partition = try? HibernationPartition(disk), (try? partition.makeDurable()) != nil else {
            return false
        }
        return partition.superblock.imageUUID == image && partition.superblock.state == .consumed
    }

    /// Notes a refusal (`noteRefusal`), and then keeps the session or gives it up.
    private func refuse(_ refusal: ResumeRefusal, isRetrying: Bool) throws(Violation) {
        do throws(Failure) {
            let session = try noteRefusal(refusal, on: HibernationPartition(disk), isRetrying: isRetrying)
            log("  noted: \(session)")
        } catch { try requireDisturbance(error) }
        if disk.isOff { return }
        if random.chance(20) { return try giveUpForRoot(refusal) }
        machine = .off
    }

    /// The root file system boots, and a pending image is given up.
    private func giveUpForRoot(_ refusal: ResumeRefusal) throws(Violation) {
        log("  gives the session up for the root file system")
        do throws(Failure) {
            let partition = try HibernationPartition(disk)
            let generation = partition.superblock.generation
            try giveUpImage(refusal, on: partition)
            if partition.superblock.generation > generation { retired.insert(partition.superblock.imageUUID) }
        } catch { try requireDisturbance(error) }
        machine = .running
    }

    /// A person wants another attempt.
    private func allowAttempt() throws(Violation) {
        log("  allows another attempt")
        do throws(Failure) {
            try allowAnotherAttempt(ResumeRefusal(reason: ""), on: HibernationPartition(disk))
        } catch { try requireDisturbance(error) }
        machine = .off
    }
}
