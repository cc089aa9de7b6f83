// SPDX-License-Identifier: Apache-2.0

/// What must hold whatever goes wrong.
enum Invariant: String, CaseIterable {
    case oldOrNew = "after a power cut the partition is ours, in the old state or in the new one"
    case complete = "an image that is ready, attempted or a snapshot has every page that was saved"
    case atMostOnce =
        "an image that was resumed, discarded or given up is never pending again, and none is resumed twice"
    case failedWrite = "an image whose data could not all be written is never ready"
    case pendingImageKept = "a pending image survives every power cut and every error until somebody gives it up"
    case contentsKnown = "nothing of an image lies behind the byte that the superblock names"
    case erased = "nothing of an image is left after it was erased"
    case nothingElseWritten =
        "nothing is written but the superblocks and the data area of our partition, in whole sectors"
    case retiredInBothSlots = "damage to one slot does not bring back an image that was given up"
    case undisturbed = "nothing fails if nothing goes wrong"
}

/// An invariant that a run has broken.
struct Violation: Error {
    let invariant: Invariant
    let detail: String
}
