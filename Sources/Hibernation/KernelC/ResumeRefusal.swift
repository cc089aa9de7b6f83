// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import MemoryImage

/// Why kernel C does not resume an image, and what is certain about it.
struct ResumeRefusal {
    let reason: String
    /// Whether the image can never be resumed: see `Failure.isFinal`.
    var isFinal = false
    /// Whether the child gave up by itself, so that nothing but unused memory has changed. One that was ended in the middle
    /// may be what stops the machine.
    var isClean = true
    /// Whether this boot's attempt is on disk, or may be.
    var hasAttempted = false
    /// The image that was found and is refused; nil if it did not come to one.
    var image: UUID?
    /// The image that was marked `consumed` for a jump that the running kernel then refused: nothing has been resumed.
    var consumedImage: UUID?
}

extension Superblock {
    /// An attempt begins: until its end is noted, it may be what stops the machine.
    mutating func beginAttempt() {
        state = .attempted
        isGivenUp = false
    }

    /// A person wants an attempted image tried again.
    /// - Returns: whether there is one.
    mutating func allowAttempt() -> Bool {
        guard state == .attempted, !isGivenUp else { return false }
        state = .ready
        return true
    }

    /// The session of an image that waits is given up, for the root file system that goes on now.
    /// - Returns: whether there is one.
    mutating func giveUp(_ refusal: ResumeRefusal) -> Bool {
        guard state.isPending, !isGivenUp, refusal.image.map({ $0 == imageUUID }) ?? true else { return false }
        // Why the attempt did not come through is worth more than that it did not.
        if state == .ready || reason.isEmpty { reason = refusal.reason }
        state = .attempted
        isGivenUp = true
        return true
    }

    /// Notes a refusal: an image that kernel C can still resume waits as before, and the refusals in a row are counted
    /// unless the refusal is final.
    /// - Parameter isRetrying: whether an earlier attempt counts as none (`torpor.retry`).
    /// - Returns: what waits here.
    mutating func note(_ refusal: ResumeRefusal, isRetrying: Bool) -> RefusedSession {
        // The device that was refused is gone, and its image with it.
        if let image = refusal.image, image != imageUUID { return .unknown }
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
        reason = refusal.reason
        if !refusal.isFinal, refusals < .max { refusals += 1 }
        return .pending(refusals: refusals)
    }
}

/// The session that a refusal leaves on disk.
enum RefusedSession: Equatable {
    /// A pending session, with its refusals in a row.
    case pending(refusals: UInt32)
    /// A session whose last resume failed, and may be what stopped the machine. It is not tried again without a person.
    case attempted
    /// No session that could be resumed.
    case none
    /// The partition was not found, or could not be read or written. It may hold a session.
    case unknown

    /// Refusals in a row, as the partition counts them; nil if it does not.
    var refusals: UInt32? { if case .pending(let refusals) = self { refusals } else { nil } }
}

/// Notes a refusal on the partition, durably.
/// - Parameter partition: opened for writing; nil if there is none.
/// - Throws: if the partition cannot be written; the session is pending as before then.
func noteRefusal(
    _ refusal: ResumeRefusal, on partition: HibernationPartition?, isRetrying: Bool
) throws(Failure) -> RefusedSession {
    guard let partition else { return refusal.image == nil ? .none : .unknown }
    var noted = partition.superblock
    let session = noted.note(refusal, isRetrying: isRetrying)
    if noted != partition.superblock { try partition.update { $0 = noted } }
    return session
}
