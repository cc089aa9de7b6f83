// SPDX-License-Identifier: Apache-2.0

extension Superblock {
    /// What became of the image that the superblock names.
    public enum State: UInt32, Sendable {
        /// No image was written since the format, or the last one was discarded.
        case empty = 0
        /// Kernel B is writing an image, or was interrupted. The image is not complete.
        case saving = 1
        /// The image is complete and can be resumed.
        case ready = 2
        /// Kernel C began to resume the image and did not succeed, or left it behind for the root file system (see
        /// `isGivenUp`). It is resumed again only if a person wants that.
        case attempted = 3
        /// The session was resumed.
        case consumed = 4
        /// The image could not be completed, or its session went on without it; `reason` says why.
        case failed = 5
        /// The image is complete, but its session went on after the save. It can be read and is never resumed.
        case snapshot = 6

        /// Whether the image may be the only copy of a session.
        public var isPending: Bool { self == .ready || self == .attempted }
    }
}
