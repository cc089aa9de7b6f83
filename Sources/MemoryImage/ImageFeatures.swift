// SPDX-License-Identifier: Apache-2.0

extension Superblock {
    /// Incompatible features: a reader that does not know one of them cannot use the partition.
    public struct Features: OptionSet, Equatable, Sendable {
        public let rawValue: UInt64
        public init(rawValue: UInt64) { self.rawValue = rawValue }

        /// The index is a table of index blocks, which lie among the chunks. Without this feature the index is one piece.
        public static let indexBlocks = Features(rawValue: 1 << 0)
        /// All features that this version knows.
        public static let known: Features = [.indexBlocks]

        /// The numbers of the bits, for messages: `3, 17`.
        public var bitNumbers: String {
            (0..<64).filter { rawValue >> UInt64($0) & 1 == 1 }.map { "\($0)" }.joined(separator: ", ")
        }
    }
}
