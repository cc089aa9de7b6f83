// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// A sink that takes nothing: pages are decoded and dropped.
private struct NoSink: PageSink {
    mutating func memory(for addresses: PhysicalRange) throws(Failure) -> UnsafeMutableRawBufferPointer? { nil }
    mutating func leaveAlone(_ addresses: PhysicalRange) {}
}

extension ImageReader {
    /// Reads the whole image on all CPUs and verifies all of it. Nothing is written.
    /// - Throws: at the first chunk that is damaged, and if the pages are not those that superblock and description name.
    public func verify() throws(Failure) {
        let found = try readChunks(Workers(), into: { NoSink() })
        guard found.hasCounts(of: partition.superblock) else {
            throw Failure("verify", partition.path, "its pages are not as many as its superblock says")
        }
        let memory = description.savedRanges
        guard memory.isEmpty || found.sum == PageTally.sum(of: memory) else {
            throw Failure("verify", partition.path, "its pages are not those of kernel A's memory")
        }
    }
}
