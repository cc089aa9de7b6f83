// SPDX-License-Identifier: Apache-2.0
import Basics
import CLZMA

/// A dictionary larger than a chunk is of no use. With this size the encoder of a worker needs some 10 MiB instead of 94.
private let xzDictionaryByteCount: UInt32 = 1 << 20

/// Bytes that the encoder for a level takes.
func xzStateByteCount(level: Int32) -> Int {
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

/// Compresses `input` to one stream of the .xz format.
/// - Returns: the bytes written; nil if `output` is too small.
func xzCompress(
    _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer, level: Int32
) throws(Failure) -> Int? {
    var written = 0
    // No integrity check, as the chunk has a checksum.
    let result = withXzFilters(level: level) { filters in
        lzma_stream_buffer_encode(
            filters, LZMA_CHECK_NONE, nil, input.baseAddress, input.count, output.baseAddress, &written, output.count)
    }
    if result == LZMA_OK { return written }
    if result == LZMA_BUF_ERROR { return nil }
    throw Failure("compress", "a chunk", xzReason(result))
}

/// Decompresses all of `input`, one stream.
/// - Returns: the bytes written.
func xzDecompress(
    _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
) throws(Failure) -> Int {
    // Bytes for the decoder: enough for the dictionary of any stream that `xzCompress` writes.
    var limit: UInt64 = 4 << 20
    var read = 0
    var written = 0
    let result = lzma_stream_buffer_decode(
        &limit, 0, nil, input.baseAddress, &read, input.count, output.baseAddress, &written, output.count)
    guard result == LZMA_OK else { throw Failure("decompress", "a chunk", xzReason(result)) }
    guard read == input.count else { throw Failure("decompress", "a chunk", "bytes follow the xz data") }
    return written
}

/// The reason behind an answer of liblzma.
private func xzReason(_ result: lzma_ret) -> String {
    switch result {
    case LZMA_MEM_ERROR: "out of memory"
    case LZMA_MEMLIMIT_ERROR: "the xz data need too much memory (LZMA_MEMLIMIT_ERROR)"
    case LZMA_FORMAT_ERROR: "it is not xz data (LZMA_FORMAT_ERROR)"
    case LZMA_OPTIONS_ERROR: "the xz data have unknown options (LZMA_OPTIONS_ERROR)"
    case LZMA_DATA_ERROR: "the xz data are corrupt (LZMA_DATA_ERROR)"
    case LZMA_BUF_ERROR: "the xz data are cut off, or decompress to more than a chunk (LZMA_BUF_ERROR)"
    default: "liblzma gives error \(result.rawValue)"
    }
}
