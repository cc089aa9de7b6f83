// SPDX-License-Identifier: Apache-2.0
import MemoryImage

extension Superblock {
    /// What the partition holds, as a phrase for messages: `it holds a snapshot`.
    public var stateDescription: String {
        switch state {
        case .empty: "no image"
        case .saving: "an incomplete image"
        case .ready: "a saved session, ready to resume"
        case .attempted where isGivenUp: "a session that was given up to boot the root file system"
        case .attempted: "a session whose last resume failed"
        case .consumed: "an image that was already resumed"
        case .failed: "an image of a hibernation that failed"
        case .snapshot: "a snapshot"
        }
    }
}
