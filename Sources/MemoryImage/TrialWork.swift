// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockStore
import Linux

/// Pages of a sample that are kept, to be packed again: as many as a full chunk has.
public final class TrialPages: @unchecked Sendable {
    private let memory: Mapping
    private var runs: [(firstFrame: UInt64, offset: Int, count: Int)] = []
    private var byteCount = 0

    public init() throws(Failure) { memory = try Mapping(anonymous: ChunkHeader.maximumPayloadByteCount) }

    public var isEmpty: Bool { byteCount == 0 }
    public var isFull: Bool { byteCount == memory.bytes.count || runs.count == ChunkHeader.maximumRuns / 2 }

    /// Keeps a copy of pages, as far as there is space.
    public func add(firstFrame: UInt64, _ contents: UnsafeRawBufferPointer) {
        let count = min(contents.count, memory.bytes.count - byteCount)
        guard count > 0, !isFull else { return }
        UnsafeMutableRawBufferPointer(rebasing: memory.bytes[byteCount...]).copyMemory(
            from: UnsafeRawBufferPointer(rebasing: contents[..<count]))
        runs.append((firstFrame, byteCount, count))
        byteCount += count
    }

    fileprivate func add(to builder: ChunkBuilder) throws(Failure) {
        for run in runs {
            let contents = UnsafeRawBufferPointer(rebasing: memory.bytes[run.offset..<run.offset + run.count])
            try builder.addPages(firstFrame: run.firstFrame, contents) { _, _ in true }
        }
        try builder.flush()
    }
}

/// What one worker of kernel B or C does with some chunks, without the disk. It can be repeated. One thread uses it.
public final class TrialWork: @unchecked Sendable {
    private let pages: [TrialPages]
    private let packed: Packed
    private let builder: ChunkBuilder
    private let unpacker: Unpacker

    /// The chunks, as the builder writes them.
    private final class Packed {
        var chunks: [[UInt8]] = []
        var keepsChunks = true
        var byteCount = 0
    }

    /// - Parameter device: a hibernation partition; nothing is written to it.
    public init(_ device: BlockStore, codec: Codec, _ pages: [TrialPages]) throws(Failure) {
        self.pages = pages
        unpacker = try Unpacker()
        let packed = Packed()
        self.packed = packed
        let writer = try makeTrialWriter(device, codec) { chunk in
            packed.byteCount += chunk.count
            if packed.keepsChunks { packed.chunks.append(Array(chunk)) }
        }
        builder = try writer.makeChunkBuilder()
        for page in pages { try page.add(to: builder) }
    }

    /// Bytes of all chunks, and of the largest one.
    var byteCount: Int { packed.chunks.reduce(0) { $0 + $1.count } }
    var largest: Int { packed.chunks.reduce(0) { max($0, $1.count) } }

    /// Packs all pages once.
    /// - Parameter write: is called behind each chunk with its size.
    func pack(_ write: (Int) throws(Failure) -> Void) throws(Failure) {
        packed.keepsChunks = false
        for page in pages {
            packed.byteCount = 0
            try page.add(to: builder)
            try write(packed.byteCount)
        }
    }

    /// Unpacks the chunks once.
    /// - Parameter read: is called before each chunk with its size.
    func unpack(_ read: (Int) throws(Failure) -> Void) throws(Failure) {
        for chunk in packed.chunks {
            try read(chunk.count)
            var failure: Failure?
            chunk.withUnsafeBytes { bytes in
                do throws(Failure) { try unpacker.take(bytes) } catch { failure = error }
            }
            if let failure { throw failure }
        }
    }
}

/// A writer of an image whose chunks go to a closure, whatever the size of the partition.
func makeTrialWriter(
    _ device: BlockStore, _ codec: Codec, _ take: @escaping (UnsafeRawBufferPointer) throws(Failure) -> Void
) throws(Failure) -> ImageWriter {
    // More than any sample takes.
    let capacity: UInt64 = 1 << 60
    let store = TrialStore(device, byteCount: capacity) { (bytes) throws(Failure) in
        // The index is written as well.
        guard bytes.count >= 4, bytes.loadUnaligned(as: UInt32.self).littleEndian == ChunkHeader.magic else { return }
        try take(bytes)
    }
    let partition = try HibernationPartition(store)
    try partition.update { superblock in
        superblock.version = Superblock.version
        superblock.deviceByteCount = capacity
    }
    return try ImageWriter(partition, imageUUID: .zero, codec: codec)
}
