// SPDX-License-Identifier: Apache-2.0
import Basics

/// Pages of an image, counted by kind, with a sum that says which pages they are. The sum notices if a page is there twice
/// and another one is missing.
public struct PageTally: Equatable, Sendable {
    public var data: UInt64 = 0
    /// Pages whose contents are not stored: zero pages and free pages.
    public var zero: UInt64 = 0
    /// Free pages among them, which may hold anything.
    public var free: UInt64 = 0
    /// The sum over all runs of the scrambled end less the scrambled beginning, modulo 2^64. Runs that follow each other
    /// have the sum of one run over the same pages. Runs that do not cover the same pages once have another sum.
    public var sum: UInt64 = 0

    public init() {}

    public static func + (one: PageTally, other: PageTally) -> PageTally {
        var result = one
        result.data &+= other.data
        result.zero &+= other.zero
        result.free &+= other.free
        result.sum &+= other.sum
        return result
    }

    /// Whether there are as many pages of each kind as a superblock says. Version 1 does not count free pages apart.
    public func hasCounts(of superblock: Superblock) -> Bool {
        let counts = superblock.counts
        return data == counts.dataPages && zero == counts.zeroPages
            && (superblock.version == 1 || free == counts.freePages)
    }

    /// The sum for all pages of the ranges.
    public static func sum(of ranges: [PhysicalRange]) -> UInt64 {
        ranges.reduce(0) { $0 &+ sum(of: $1.frames) }
    }

    static func sum(of frames: FrameRange) -> UInt64 {
        scrambled(frames.upperBound) &- scrambled(frames.lowerBound)
    }

    mutating func add(_ run: PageRun) {
        if run.kind == .data { data &+= UInt64(run.count) } else { zero &+= UInt64(run.count) }
        if run.kind == .free { free &+= UInt64(run.count) }
        guard let addresses = run.addresses else { return }
        sum &+= PageTally.sum(of: addresses.frames)
    }

    /// The finalizer of SplitMix64: of two numbers that differ little, the results differ much.
    private static func scrambled(_ number: UInt64) -> UInt64 {
        var value = number &+ 0x9e37_79b9_7f4a_7c15
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }
}
