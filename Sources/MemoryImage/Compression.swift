import Basics
import CLZMA
import CZstd

/// One worker's compressor: its state is allocated once.
struct Compressor: ~Copyable {
    private let codec: Codec
    private let context: ZstdContext
    private let sampler: ZstdContext

    /// Pages of a chunk that are looked at to see whether the chunk compresses.
    private static let sampleCount = 8

    init(_ codec: Codec) throws(Failure) {
        var level: Int32 = 1
        if case .zstd(let own) = codec { level = own }
        let context = try ZstdContext(level: level)
        let sampler = try ZstdContext(level: 1)
        self.codec = codec
        self.context = context
        self.sampler = sampler
    }

    /// Bytes that the state of one compressor takes at most, for inputs of up to `byteCount`.
    static func stateByteCount(_ codec: Codec, inputs byteCount: Int) -> Int {
        let sampler = ZstdContext.byteCount(level: 1, inputs: Int(pageSize))
        switch codec {
        case .none: return sampler
        case .zstd(let level): return sampler + ZstdContext.byteCount(level: level, inputs: byteCount)
        case .xz(let level): return sampler + xzStateByteCount(level: level)
        }
    }

    /// Compresses `input` into `output`.
    /// - Returns: the bytes written, or nil where the result would be no smaller than `limit`, or where a sample says so.
    borrowing func compress(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer, limit: Int
    ) throws(Failure) -> Int? {
        let room = UnsafeMutableRawBufferPointer(rebasing: output[..<min(limit, output.count)])
        if codec == .none || seemsIncompressible(input, room) { return nil }
        if case .xz(let level) = codec { return try xzCompress(input, into: room, level: level) }
        guard let size = try context.compress(input, into: room) else { return nil }
        return size < limit ? size : nil
    }

    /// Whether none of some pages of a large input compresses by itself. What is random should not cost the time of a
    /// compressor that gives up in the end; a chunk of which a part is not is rarely taken for it, and nothing is lost then
    /// but space.
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

/// A compressor of libzstd, freed when it goes out of scope.
private struct ZstdContext: ~Copyable {
    private let pointer: OpaquePointer

    init(level: Int32) throws(Failure) { pointer = try makeZstdContext(level: level) }

    /// Bytes that a context takes for inputs of up to `byteCount`.
    static func byteCount(level: Int32, inputs byteCount: Int) -> Int {
        ZSTD_estimateCCtxSize_usingCParams(ZSTD_getCParams(level, UInt64(byteCount), 0))
    }

    deinit { ZSTD_freeCCtx(pointer) }

    /// - Returns: the bytes written, or nil where they are more than `output` takes.
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

/// One worker's decompressor: its state is allocated once.
struct Decompressor: ~Copyable {
    private let context: OpaquePointer

    init() throws(Failure) {
        guard let context = ZSTD_createDCtx() else { throw Failure("start", "the zstd decompressor", "out of memory") }
        self.context = context
    }

    deinit { ZSTD_freeDCtx(context) }

    /// Decompresses all of `input`; the result must fill `output` exactly.
    borrowing func decompress(
        _ input: UnsafeRawBufferPointer, codecNumber: UInt32, into output: UnsafeMutableRawBufferPointer
    ) throws(Failure) {
        let size: Int
        switch codecNumber {
        case Codec.none.number:
            size = input.count
            if size == output.count, size > 0 { output.copyMemory(from: input) }
        case Codec.zstd(level: 1).number:
            let result = ZSTD_decompressDCtx(context, output.baseAddress, output.count, input.baseAddress, input.count)
            if ZSTD_isError(result) != 0 {
                throw Failure("decompress", "a chunk", String(cString: ZSTD_getErrorName(result)))
            }
            size = result
        case Codec.xz(level: 0).number:
            size = try xzDecompress(input, into: output)
        default: throw Failure("decompress", "a chunk", "its codec \(codecNumber) is unknown")
        }
        guard size == output.count else {
            throw Failure("decompress", "a chunk", "it holds \(size) bytes where its header says \(output.count)")
        }
    }
}

/// The dictionary need not be larger than a chunk; with it, a worker's encoder needs some 10 MiB instead of 94.
private let xzDictionaryByteCount: UInt32 = 1 << 20

/// Bytes that an encoder takes.
private func xzStateByteCount(level: Int32) -> Int {
    Int(clamping: withXzFilters(level: level) { lzma_raw_encoder_memusage($0) })
}

/// Runs `body` with the filters for a level of 0 to 9.
private func withXzFilters<Result>(level: Int32, _ body: (UnsafeMutablePointer<lzma_filter>?) -> Result) -> Result {
    var options = lzma_options_lzma()
    lzma_lzma_preset(&options, UInt32(level))
    options.dict_size = min(options.dict_size, xzDictionaryByteCount)
    return withUnsafeMutablePointer(to: &options) { options in
        var filters = [
            lzma_filter(id: lzma_vli(0x21), options: options),  // LZMA_FILTER_LZMA2
            lzma_filter(id: lzma_vli.max, options: nil),  // LZMA_VLI_UNKNOWN ends the list
        ]
        return filters.withUnsafeMutableBufferPointer { body($0.baseAddress) }
    }
}

private func xzCompress(
    _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer, level: Int32
) throws(Failure) -> Int? {
    var written = 0
    // The chunk has a checksum of its own.
    let result = withXzFilters(level: level) { filters in
        lzma_stream_buffer_encode(
            filters, LZMA_CHECK_NONE, nil, input.baseAddress, input.count, output.baseAddress, &written, output.count)
    }
    if result == LZMA_OK { return written }
    if result == LZMA_BUF_ERROR { return nil }
    throw Failure("compress", "a chunk", "liblzma answers \(result.rawValue)")
}

private func xzDecompress(
    _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
) throws(Failure) -> Int {
    // The dictionary that a stream asks for is the writer's at most.
    var limit: UInt64 = 4 << 20
    var read = 0
    var written = 0
    let result = lzma_stream_buffer_decode(
        &limit, 0, nil, input.baseAddress, &read, input.count, output.baseAddress, &written, output.count)
    guard result == LZMA_OK, read == input.count else {
        throw Failure("decompress", "a chunk", "liblzma answers \(result.rawValue)")
    }
    return written
}
