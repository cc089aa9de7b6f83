// SPDX-License-Identifier: Apache-2.0
import Basics

/// The compressor of one worker. Its state is allocated once.
struct Compressor: ~Copyable {
    private let codec: Codec
    private let zstd: ZstdContext
    private let sampler: ZstdContext
    private let lz4: LZ4State

    /// Pages of a chunk that are tried to find out whether the chunk compresses.
    private static let sampleCount = 8

    init(_ codec: Codec) throws(Failure) {
        var level: Int32 = 1
        if case .zstd(let own) = codec { level = own }
        let zstd = try ZstdContext(level: level)
        let sampler = try ZstdContext(level: 1)
        let lz4 = try LZ4State()
        self.codec = codec
        self.zstd = zstd
        self.sampler = sampler
        self.lz4 = lz4
    }

    /// Bytes that the state of one compressor takes at most, for inputs of up to `byteCount` bytes.
    static func stateByteCount(_ codec: Codec, inputs byteCount: Int) -> Int {
        let shared = ZstdContext.byteCount(level: 1, inputs: Int(pageSize)) + LZ4State.byteCount
        switch codec {
        case .none, .lz4: return shared
        case .zstd(let level): return shared + ZstdContext.byteCount(level: level, inputs: byteCount)
        case .xz(let level): return shared + xzStateByteCount(level: level)
        }
    }

    /// Compresses `input` into `output`.
    /// - Returns: the bytes written; nil if they would be no fewer than `limit`, or if a sample does not compress.
    borrowing func compress(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer, limit: Int
    ) throws(Failure) -> Int? {
        let room = UnsafeMutableRawBufferPointer(rebasing: output[..<min(limit, output.count)])
        let size: Int?
        switch codec {
        case .none: return nil
        // lz4 notices incompressible input as fast as a sample would.
        case .lz4: size = lz4.compress(input, into: room)
        case .zstd, .xz: size = seemsIncompressible(input, room) ? nil : try compressSlowly(input, into: room)
        }
        guard let size, size < limit else { return nil }
        return size
    }

    private borrowing func compressSlowly(
        _ input: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer
    ) throws(Failure) -> Int? {
        if case .xz(let level) = codec { return try xzCompress(input, into: room, level: level) }
        return try zstd.compress(input, into: room)
    }

    /// Whether none of some pages of a large input compresses by itself. So random input does not cost the time of a
    /// compressor that gives up in the end. If only part of a chunk is random, the sample rarely misses the rest, and if it
    /// does, only space is lost.
    private borrowing func seemsIncompressible(
        _ input: UnsafeRawBufferPointer, _ room: UnsafeMutableRawBufferPointer
    ) -> Bool {
        let page = Int(pageSize)
        let stride = input.count / Compressor.sampleCount / page * page
        guard stride > page, room.count >= page else { return false }
        let limit = UnsafeMutableRawBufferPointer(rebasing: room[..<(page - page / 16)])
        for number in 0..<Compressor.sampleCount {
            let sample = UnsafeRawBufferPointer(rebasing: input[number * stride..<number * stride + page])
            guard let size = try? sampler.compress(sample, into: limit) else { continue }
            if size > 0 { return false }
        }
        return true
    }
}

/// The decompressor of one worker. Its state is allocated once.
struct Decompressor: ~Copyable {
    private let zstd: ZstdDecompressor

    init() throws(Failure) { zstd = try ZstdDecompressor() }

    /// Decompresses all of `input`.
    /// - Throws: if the result does not fill `output` exactly, too.
    borrowing func decompress(
        _ input: UnsafeRawBufferPointer, codecNumber: UInt32, into output: UnsafeMutableRawBufferPointer
    ) throws(Failure) {
        let size: Int
        switch codecNumber {
        case Codec.none.number:
            size = input.count
            if size == output.count, size > 0 { output.copyMemory(from: input) }
        case Codec.zstd(level: 1).number:
            size = try zstd.decompress(input, into: output)
        case Codec.xz(level: 0).number:
            size = try xzDecompress(input, into: output)
        case Codec.lz4.number:
            size = try lz4Decompress(input, into: output)
        default: throw Failure("decompress", "a chunk", "its codec \(codecNumber) is unknown")
        }
        guard size == output.count else {
            throw Failure("decompress", "a chunk", "it has \(size) bytes, but its header says \(output.count)")
        }
    }
}
