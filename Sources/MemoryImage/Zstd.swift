// SPDX-License-Identifier: Apache-2.0
import Basics
import CZstd

/// A compressor of libzstd, freed when it goes out of scope.
struct ZstdContext: ~Copyable {
    private let pointer: OpaquePointer

    init(level: Int32) throws(Failure) { pointer = try makeZstdContext(level: level) }

    /// Bytes that a context takes for inputs of up to `byteCount` bytes.
    static func byteCount(level: Int32, inputs byteCount: Int) -> Int {
        ZSTD_estimateCCtxSize_usingCParams(ZSTD_getCParams(level, UInt64(byteCount), 0))
    }

    deinit { ZSTD_freeCCtx(pointer) }

    /// Compresses `input` to one frame.
    /// - Returns: the bytes written; nil if `output` is too small.
    borrowing func compress(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(Failure) -> Int? {
        let size = ZSTD_compress2(pointer, output.baseAddress, output.count, input.baseAddress, input.count)
        if ZSTD_isError(size) == 0 { return size }
        if ZSTD_getErrorCode(size) == ZSTD_error_dstSize_tooSmall { return nil }
        throw Failure("compress", "\(input.count) bytes", String(cString: ZSTD_getErrorName(size)))
    }
}

private func makeZstdContext(level: Int32) throws(Failure) -> OpaquePointer {
    guard let pointer = ZSTD_createCCtx() else { throw Failure("start", "the zstd compressor", "out of memory") }
    let answer = ZSTD_CCtx_setParameter(pointer, ZSTD_c_compressionLevel, level)
    if ZSTD_isError(answer) == 0 { return pointer }
    ZSTD_freeCCtx(pointer)
    throw Failure("start", "the zstd compressor", String(cString: ZSTD_getErrorName(answer)))
}

/// A decompressor of libzstd, freed when it goes out of scope.
struct ZstdDecompressor: ~Copyable {
    private let pointer: OpaquePointer

    init() throws(Failure) {
        guard let pointer = ZSTD_createDCtx() else { throw Failure("start", "the zstd decompressor", "out of memory") }
        self.pointer = pointer
    }

    deinit { ZSTD_freeDCtx(pointer) }

    /// Decompresses all of `input`, one frame.
    /// - Returns: the bytes written.
    borrowing func decompress(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(Failure) -> Int {
        let size = ZSTD_decompressDCtx(pointer, output.baseAddress, output.count, input.baseAddress, input.count)
        if ZSTD_isError(size) == 0 { return size }
        throw Failure("decompress", "a chunk", String(cString: ZSTD_getErrorName(size)))
    }
}
