// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import MemoryImage

/// Why kernel C does not resume an image, with the facts that decide about its session.
struct ResumeRefusal {
    let reason: String
    /// Whether the image can never be resumed: see `Failure.isFinal`.
    var isFinal = false
    /// Whether only unused memory has changed: the child gave up by itself, or a person stopped it. If it was killed for
    /// another reason or trapped, the image may be what stops the machine.
    var isClean = true
    /// Whether a person stopped the resume with a key. Nothing is wrong with the image then, and the attempt does not count.
    var isStopped = false
    /// Whether this boot may have written `attempted` to the partition.
    var hasAttempted = false
    /// The image that is refused; nil if none was found.
    var image: UUID?
    /// The image that was marked `consumed` before the running kernel refused the jump, so nothing was resumed; nil otherwise.
    var consumedImage: UUID?
}

extension Superblock {
    /// Whether there is an image to resume.
    /// - Parameter isRetrying: whether an earlier attempt is ignored (`torpor.retry`).
    /// - Throws: if the last attempt did not complete: the image may have stopped the machine, so a person decides about
    ///   another attempt. Also if the image was never complete.
    func isResumable(_ path: String, isRetrying: Bool) throws(Failure) -> Bool {
        switch state {
        case .ready: return true
        case .attempted where isRetrying: return true
        case .attempted:
            throw Failure(
                "resume", path,
                "an earlier resume of its image did not complete" + (reason.isEmpty ? "" : " (\(reason))"),
                remedy: "to try again, boot with torpor.retry; to drop that session: torpor discard \(path)",
                isFinal: isGivenUp)
        case .saving, .failed: throw Failure("resume", path, "it holds \(stateDescription)", isFinal: true)
        case .empty, .consumed, .snapshot: return false
        }
    }

    /// Marks the beginning of an attempt. If nothing records its end, the attempt may have stopped the machine.
    mutating func beginAttempt() {
        unansweredStarts = 0
        state = .attempted
        isGivenUp = false
    }

    /// Allows another attempt after one that did not complete, because a person wants it.
    /// - Returns: whether there is such an image; if not, nothing changes.
    mutating func allowAttempt() -> Bool {
        guard state == .attempted, !isGivenUp else { return false }
        state = .ready
        return true
    }

    /// Gives up a pending image, because the root file system boots now.
    /// - Returns: whether there is one; if not, nothing changes.
    mutating func giveUp(_ refusal: ResumeRefusal) -> Bool {
        guard state.isPending, !isGivenUp, refusal.image.map({ $0 == imageUUID }) ?? true else { return false }
        // The reason of the attempt itself is kept: it says more than that the attempt did not complete.
        if state == .ready || reason.isEmpty { reason = refusal.reason }
        state = .attempted
        isGivenUp = true
        return true
    }

    /// Records a refusal. An image that kernel C can still resume stays pending, and the refusals in a row are counted unless
    /// the refusal is final.
    /// - Parameter isRetrying: whether an earlier attempt is ignored (`torpor.retry`).
    /// - Returns: the session that stays on disk.
    mutating func note(_ refusal: ResumeRefusal, isRetrying: Bool) -> RefusedSession {
        // This is another image: the device with the refused one is gone.
        if let image = refusal.image, image != imageUUID { return .unknown }
        unansweredStarts = 0
        switch state {
        case .ready: break
        case .attempted where refusal.isClean && (refusal.hasAttempted || isRetrying): break
        case .consumed where refusal.consumedImage == imageUUID: break
        case .attempted where refusal.hasAttempted:
            reason = refusal.reason
            return .attempted
        case .attempted where !isGivenUp: return .attempted
        default: return .none
        }
        state = .ready
        isGivenUp = false
        if refusal.isStopped { return .pending(refusals: refusals) }
        reason = refusal.reason
        if !refusal.isFinal, refusals < .max { refusals += 1 }
        return .pending(refusals: refusals)
    }
}

/// The session that a refusal leaves on disk.
enum RefusedSession: Equatable {
    /// A pending session, with its refusals in a row.
    case pending(refusals: UInt32)
    /// A session whose last resume failed and may have stopped the machine. Only a person can ask for another attempt.
    case attempted
    /// No session that can be resumed.
    case none
    /// The partition was not found, or could not be read or written. It may hold a session.
    case unknown

    /// Refusals in a row; nil if the partition does not count them.
    var refusals: UInt32? { if case .pending(let refusals) = self { refusals } else { nil } }
}

/// Records a refusal on the partition, durably.
/// - Parameter partition: opened for writing; nil if there is none.
/// - Throws: if the partition cannot be written; the session then stays as it was.
func noteRefusal(
    _ refusal: ResumeRefusal, on partition: HibernationPartition?, isRetrying: Bool
) throws(Failure) -> RefusedSession {
    guard let partition else { return refusal.image == nil ? .none : .unknown }
    var noted = partition.superblock
    let session = noted.note(refusal, isRetrying: isRetrying)
    if noted != partition.superblock { try partition.update { $0 = noted } }
    return session
}

/// Marks a pending image as given up for the root file system, durably and in both slots.
func giveUpImage(_ refusal: ResumeRefusal, on partition: HibernationPartition) throws(Failure) {
    var next = partition.superblock
    guard next.giveUp(refusal) else { return }
    try partition.retireImage { superblock in
        superblock.state = next.state
        superblock.isGivenUp = next.isGivenUp
        superblock.reason = next.reason
    }
}

/// Marks an image whose last resume failed as `ready`, durably.
func allowAnotherAttempt(_ refusal: ResumeRefusal, on partition: HibernationPartition) throws(Failure) {
    var next = partition.superblock
    guard refusal.image == nil || refusal.image == next.imageUUID, next.allowAttempt() else { return }
    try partition.update { $0.state = next.state }
}

/// Lets the next ordinary start go on without a resume, durably. The image is kept.
func postponeResume(on partition: HibernationPartition) throws(Failure) {
    guard partition.superblock.state.isPending else { return }
    try partition.update { $0.isResumePostponed = true }
}
