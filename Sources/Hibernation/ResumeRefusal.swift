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
    /// The image that was marked `consumed` for a jump that the running kernel then refused: nothing has been resumed.
    var consumedImage: UUID?
}

extension Superblock {
    /// Notes a refusal: an image that kernel C can still resume waits as before, and the refusals in a row are counted
    /// unless the refusal is final.
    /// - Parameter isRetrying: whether an earlier attempt counts as none (`torpor.retry`).
    /// - Returns: whether a session waits here.
    mutating func note(_ refusal: ResumeRefusal, isRetrying: Bool) -> Bool {
        switch state {
        case .ready: break
        case .attempted where refusal.isClean && (refusal.hasAttempted || isRetrying): break
        case .consumed where refusal.consumedImage == imageUUID: break
        case .attempted where refusal.hasAttempted:
            reason = refusal.reason
            return false
        default: return false
        }
        state = .ready
        reason = refusal.reason
        if !refusal.isFinal, refusals < .max { refusals += 1 }
        return true
    }
}

/// What a refusal leaves on disk.
enum RefusedSession: Equatable {
    /// A session that waits, refused so often in a row.
    case waiting(refusals: UInt32)
    /// No session that could be resumed.
    case none
    /// The partition was not found, or could not be read or written. A session may wait there.
    case unknown
}

/// Notes a refusal on the partition, durably.
/// - Parameter path: the partition; nil if there is none.
/// - Throws: if the partition cannot be read or written; the session waits as before then.
func note(_ refusal: ResumeRefusal, on path: String?, isRetrying: Bool) throws(Failure) -> RefusedSession {
    guard let path else { return .none }
    let partition = try HibernationPartition(path, .write)
    var noted = partition.superblock
    let isWaiting = noted.note(refusal, isRetrying: isRetrying)
    if noted != partition.superblock { try partition.update { $0 = noted } }
    return isWaiting ? .waiting(refusals: noted.refusals) : .none
}
