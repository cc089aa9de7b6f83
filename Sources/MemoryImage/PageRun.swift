// SPDX-License-Identifier: Apache-2.0
import Basics

/// Pages that follow each other in physical memory and that the image has in the same way.
public struct PageRun: Equatable, Sendable {
    public enum Kind: UInt32, Sendable {
        /// The contents are stored.
        case data = 1
        /// The pages are zeros.
        case zero = 2
        /// The pages were free in kernel A; their contents are irrelevant.
        case free = 3
    }

    /// The page frame number of the first page: its physical address divided by 4 KiB.
    public var firstFrame: UInt64
    /// Pages in the run.
    public var count: UInt32
    public var kind: Kind

    public init(firstFrame: UInt64, count: UInt32, kind: Kind) {
        self.firstFrame = firstFrame
        self.count = count
        self.kind = kind
    }

    /// The physical addresses of its pages, in bytes; nil if one of them is beyond 2^52, the limit of x86_64.
    public var addresses: PhysicalRange? {
        let limit: UInt64 = 1 << 40
        guard firstFrame < limit, UInt64(count) <= limit - firstFrame else { return nil }
        return firstFrame * pageSize..<(firstFrame + UInt64(count)) * pageSize
    }

    /// Bytes in the header of a chunk.
    static let byteCount = 16

    mutating func fields<Coder: FieldCoder>(_ coder: inout Coder, at start: Int) throws(Coder.Refusal) {
        try coder.integer(&firstFrame, at: start)
        try coder.integer(&count, at: start + 8)
        try coder.value(
            &kind, at: start + 12, { $0.rawValue }, { Kind(rawValue: $0) }, "a run is of an unknown kind")
    }
}
