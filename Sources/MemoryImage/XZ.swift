// SPDX-License-Identifier: Apache-2.0
import Basics
import CLZMA

/// The dictionary need not be larger than a chunk; with it, a worker's encoder needs some 10 MiB instead of 94.
private let xzDictionaryByteCount: UInt32 = 1 << 20

/// Bytes that an encoder takes.
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

func xzCompress(
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

func xzDecompress(
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
