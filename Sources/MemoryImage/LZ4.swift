// SPDX-License-Identifier: Apache-2.0
import Basics
import CLZ4

/// The hash table of liblz4's compressor, freed when it goes out of scope.
struct LZ4State: ~Copyable {
    private let stream: UnsafeMutablePointer<LZ4_stream_t>

    init() throws(Failure) {
        guard let stream = LZ4_createStream() else { throw Failure("start", "the lz4 compressor", "out of memory") }
        self.stream = stream
    }

    deinit { LZ4_freeStream(stream) }

    /// Bytes that one takes.
    static var byteCount: Int { Int(LZ4_sizeofState()) }

    /// Compresses `input` to one block (lz4_Block_format.md).
    /// - Returns: the bytes written; nil if `output` is too small.
    borrowing func compress(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> Int? {
        guard let inputCount = Int32(exactly: input.count), let room = Int32(exactly: output.count) else { return nil }
        let size = LZ4_compress_fast_extState(
            stream, input.baseAddress?.assumingMemoryBound(to: CChar.self),
            output.baseAddress?.assumingMemoryBound(to: CChar.self), inputCount, room, 1)
        return size > 0 ? Int(size) : nil
    }
}

/// Decompresses all of `input`, one block.
/// - Returns: the bytes written.
func lz4Decompress(
    _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
) throws(Failure) -> Int {
    guard let inputCount = Int32(exactly: input.count), let room = Int32(exactly: output.count),
        case let size = LZ4_decompress_safe(
            input.baseAddress?.assumingMemoryBound(to: CChar.self),
            output.baseAddress?.assumingMemoryBound(to: CChar.self), inputCount, room), size >= 0
    else { throw Failure("decompress", "a chunk", "it is not an lz4 block") }
    return Int(size)
}
