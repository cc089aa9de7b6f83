// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockStore
import Linux

/// Packs pages as a save does and unpacks them as a restore does, without a disk, and measures both. One thread uses it.
public final class ChunkTrial {
    /// The sums over all chunks.
    public struct Result: Equatable, Sendable {
        public var chunks: UInt64 = 0
        /// Bytes that the chunks would take on the partition.
        public var byteCount: UInt64 = 0
        /// Processor time for packing and for unpacking, in nanoseconds.
        public var packNanoseconds: UInt64 = 0
        public var unpackNanoseconds: UInt64 = 0

        public init() {}
    }

    private let unpacker: Unpacker
    private let builder: ChunkBuilder
    private var nanoseconds: UInt64 = 0

    /// - Parameter device: a hibernation partition; nothing is written to it.
    public init(_ device: BlockStore, codec: Codec) throws(Failure) {
        let unpacker = try Unpacker()
        let writer = try makeTrialWriter(device, codec) { (chunk) throws(Failure) in try unpacker.take(chunk) }
        builder = try writer.makeChunkBuilder()
        self.unpacker = unpacker
    }

    /// Adds pages: see `ChunkBuilder.addPages`.
    public func addPages(
        firstFrame: UInt64, _ contents: UnsafeRawBufferPointer, _ goesOn: (_ pages: UInt64, _ areZeros: Bool) -> Bool
    ) throws(Failure) {
        let start = threadNanoseconds()
        try builder.addPages(firstFrame: firstFrame, contents, goesOn)
        nanoseconds += threadNanoseconds() - start
    }

    /// Adds free pages.
    public func addFreePages(firstFrame: UInt64, count: UInt32) throws(Failure) {
        let start = threadNanoseconds()
        try builder.addFreePages(firstFrame: firstFrame, count: count)
        nanoseconds += threadNanoseconds() - start
    }

    /// Packs the pages that are left.
    public func finish() throws(Failure) -> Result {
        let start = threadNanoseconds()
        try builder.flush()
        nanoseconds += threadNanoseconds() - start
        var result = unpacker.result
        result.packNanoseconds = nanoseconds - min(nanoseconds, result.unpackNanoseconds)
        return result
    }
}

/// Unpacks chunks as `ChunkReader` does, into memory of its own.
final class Unpacker {
    private(set) var result = ChunkTrial.Result()
    private let decompressor: Decompressor
    private let pages: Mapping
    private let target: Mapping

    init() throws(Failure) {
        decompressor = try Decompressor()
        pages = try Mapping(anonymous: ChunkHeader.maximumPayloadByteCount, isPopulated: true)
        target = try Mapping(anonymous: ChunkHeader.maximumPayloadByteCount, isPopulated: true)
    }

    func take(_ chunk: UnsafeRawBufferPointer) throws(Failure) {
        let start = threadNanoseconds()
        let header = try ChunkHeader(decoding: chunk)
        result.chunks += 1
        result.byteCount += UInt64(chunk.count)
        let end = header.payloadOffset + header.payloadByteCount
        let payload = UnsafeRawBufferPointer(rebasing: chunk[header.payloadOffset..<end])
        guard xxh64(payload) == header.payloadChecksum else {
            throw Failure("unpack", "a chunk", "its checksum is wrong: the memory of this machine may be faulty")
        }
        let size = header.dataPages * Int(pageSize)
        if size > 0 {
            let contents = UnsafeMutableRawBufferPointer(rebasing: pages.bytes[..<size])
            try decompressor.decompress(payload, codecNumber: header.codecNumber, into: contents)
            let isOneRun = header.runs.reduce(0) { $0 + ($1.kind == .data ? 1 : 0) } == 1
            if !isOneRun { target.bytes.copyMemory(from: UnsafeRawBufferPointer(contents)) }
        }
        for run in header.runs where run.kind == .zero {
            var left = Int(run.count) * Int(pageSize)
            while left > 0 {
                let count = min(left, target.bytes.count)
                clear(UnsafeMutableRawBufferPointer(rebasing: target.bytes[..<count]))
                left -= count
            }
        }
        result.unpackNanoseconds += threadNanoseconds() - start
    }
}
