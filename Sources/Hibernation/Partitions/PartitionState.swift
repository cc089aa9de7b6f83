// SPDX-License-Identifier: Apache-2.0
import Basics
import MemoryImage

extension Superblock {
    /// What the partition holds, as a phrase.
    public var stateDescription: String {
        switch state {
        case .empty: "no image"
        case .saving: "an image that was not completed"
        case .ready: "an image that waits for its resume"
        case .attempted where isGivenUp: "an image that was given up for the root file system"
        case .attempted: "an image whose resume was attempted"
        case .consumed: "an image that was resumed"
        case .failed: "an image that could not be completed"
        case .snapshot: "a snapshot"
        }
    }
}
