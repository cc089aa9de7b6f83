// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import MemoryImage
import PhysicalMemory

/// What a sample of the memory in use tells: its pages, and how they compress.
struct MemorySample: Equatable, Sendable {
    var dataPages: UInt64 = 0
    /// Pages of zeros.
    var zeroPages: UInt64 = 0
    /// The chunks of these pages, and the processor time to pack and unpack them.
    var chunks = ChunkTrial.Result()
    /// Free pages whose contents were read; those of them that hold only zeros; those that hold only poison.
    var freeSamples = 0
    var zeroSamples = 0
    var poisonedSamples = 0

    /// Pages in use that were read.
    var pages: UInt64 { dataPages + zeroPages }
    /// Whether kernel B saves free pages as well: see `FreePageFilter`.
    var isPoisoned: Bool { freeSamples > 0 && poisonedSamples == freeSamples }
    /// Whether kernel C has to clear free pages: see `FreePageFilter`.
    var keepsZeros: Bool { zeroSamples == freeSamples }

    mutating func add(_ other: MemorySample) {
        dataPages += other.dataPages
        zeroPages += other.zeroPages
        chunks.chunks += other.chunks.chunks
        chunks.byteCount += other.chunks.byteCount
        chunks.packNanoseconds += other.chunks.packNanoseconds
        chunks.unpackNanoseconds += other.chunks.unpackNanoseconds
        freeSamples += other.freeSamples
        zeroSamples += other.zeroSamples
        poisonedSamples += other.poisonedSamples
    }

    mutating func countFree(_ page: UnsafeRawBufferPointer) {
        freeSamples += 1
        if isZero(page) { zeroSamples += 1 }
        if page.allSatisfy({ $0 == PageMarks.poison }) { poisonedSamples += 1 }
    }
}

/// A part of memory that a sample takes at once.
struct SamplePart: Equatable, Sendable {
    /// Whole blocks of the page allocator, so that the marks of free pages in them are complete.
    var window: PhysicalRange
    /// The pages of the window that are read.
    var pages: PhysicalRange

    /// Bytes that are read at once: the pages of a full chunk.
    static let byteCount: UInt64 = 1 << 20
    /// Windows of one sample at most.
    static let windowLimit: UInt64 = 8192

    /// The parts of a memory, in an order in which those at the beginning are a sample of the whole. In a memory of up to
    /// `windowLimit` windows they cover all of it, else an even share.
    /// - Parameter windowByteCount: the size of a window, a multiple of `byteCount`.
    static func all(of memory: [PhysicalRange], windowByteCount: UInt64) -> [SamplePart] {
        let total = memory.reduce(UInt64(0)) {
            $0 + ($1.upperBound + windowByteCount - 1) / windowByteCount
                - $1.lowerBound / windowByteCount
        }
        let step = max(1, (total + windowLimit - 1) / windowLimit)
        var windows: [PhysicalRange] = []
        var number: UInt64 = 0
        for range in memory where !range.isEmpty {
            for window in range.lowerBound / windowByteCount...(range.upperBound - 1) / windowByteCount {
                if number % step == step / 2 {
                    let whole: PhysicalRange = window * windowByteCount..<(window + 1) * windowByteCount
                    windows.append(whole.clamped(to: range))
                }
                number += 1
            }
        }
        windows = spread(windows)
        let partCount = windowByteCount / byteCount
        return (0..<partCount).flatMap { (turn: UInt64) -> [SamplePart] in
            windows.enumerated().compactMap { (index, window) -> SamplePart? in
                let start =
                    window.lowerBound / windowByteCount * windowByteCount
                    + (turn + UInt64(index)) % partCount * byteCount
                let part: PhysicalRange = start..<start + byteCount
                let pages = part.clamped(to: window)
                return pages.isEmpty ? nil : SamplePart(window: window, pages: pages)
            }
        }
    }
}
