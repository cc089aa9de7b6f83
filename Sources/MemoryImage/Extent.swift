// SPDX-License-Identifier: Apache-2.0
import Basics

extension Superblock {
    /// A range of the partition and the XXH64 of its bytes. In bytes; `offset` is a multiple of 4 KiB.
    public struct Extent: Equatable, Sendable {
        public var offset: UInt64 = 0
        public var byteCount: UInt64 = 0
        public var checksum: UInt64 = 0

        public init() {}

        public init(offset: UInt64, byteCount: UInt64, checksum: UInt64) {
            self.offset = offset
            self.byteCount = byteCount
            self.checksum = checksum
        }

        mutating func fields<Coder: FieldCoder>(_ coder: inout Coder, at start: Int) throws(Coder.Refusal) {
            try coder.integer(&offset, at: start)
            try coder.integer(&byteCount, at: start + 8)
            try coder.integer(&checksum, at: start + 16)
        }
    }
}
