import Basics
import Linux

/// A sink that takes nothing: pages are decoded, and dropped.
private struct NoSink: PageSink {
    mutating func memory(for addresses: AddressRange) throws(Failure) -> UnsafeMutableRawBufferPointer? { nil }
}

extension ImageReader {
    /// Reads the whole image and verifies every checksum, on all CPUs; nothing is written anywhere.
    /// - Throws: at the first chunk that is damaged, and where the counts are not the superblock's.
    public func verify() throws(Failure) {
        let workers = Workers()
        let pages = Guarded<(data: UInt64, zero: UInt64)>((0, 0))
        try workers.run { () throws(Failure) in
            let chunks = try self.makeChunkReader()
            var sink = NoSink()
            while !workers.isStopping, let entry = self.takeEntry() {
                let count = try chunks.read(entry, into: &sink)
                pages.withLock {
                    $0.data += count.data
                    $0.zero += count.zero
                }
            }
        }
        let counts = partition.superblock.counts
        guard pages.withLock({ $0 }) == (counts.dataPages, counts.zeroPages) else {
            throw Failure("verify", partition.path, "its pages are not as many as its superblock says")
        }
    }
}
