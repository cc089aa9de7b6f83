import Basics
import CLZMA
import CZstd

/// How the bytes of a chunk are stored: as they are, or compressed, with the level that was asked for.
public enum Codec: Equatable, Sendable, CustomStringConvertible {
    case none
    case zstd(level: Int32)
    case xz(level: Int32)

    /// What is used where nothing is asked for.
    public static let standard = Codec.zstd(level: 1)

    /// The codec that `text` names: `none`, `zstd`, `xz`, the last two with `:level` behind them if wanted.
    public init(parsing text: String) throws(Failure) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map { String($0) }
        let remedy = "use none, zstd[:level] or xz[:level]"
        var level: Int32?
        if parts.count == 2 {
            let isNegative = parts[1].utf8.first == UInt8(ascii: "-")
            let digits = isNegative ? String(decoding: parts[1].utf8.dropFirst(), as: UTF8.self) : parts[1]
            guard let number = parseNumber(digits), number < 1 << 20 else {
                throw Failure("read", "codec \(text)", "\(parts[1]) is no level", remedy: remedy)
            }
            level = isNegative ? -Int32(number) : Int32(number)
        }
        switch parts[0] {
        case "none" where parts.count == 1: self = .none
        case "zstd": self = .zstd(level: level ?? 1)
        case "xz": self = .xz(level: level ?? 0)
        default: throw Failure("read", "codec \(text)", "there is no such codec", remedy: remedy)
        }
        guard Codec(number: number, level: self.level) != nil else {
            throw Failure(
                "read", "codec \(text)", "there is no such level",
                remedy: "zstd has \(Codec.zstdLevels.lowerBound) to \(Codec.zstdLevels.upperBound), xz has 0 to 9")
        }
    }

    /// The codec with the number that the format gives it and a level; nil where there is no such codec or level.
    init?(number: UInt32, level: Int32) {
        switch number {
        case 0 where level == 0: self = .none
        case 1 where Codec.zstdLevels.contains(level): self = .zstd(level: level)
        case 2 where (0...9).contains(level): self = .xz(level: level)
        default: return nil
        }
    }

    /// Levels that zstd has and that fit kernel B's memory; above 19 a worker would need more than there is.
    static let zstdLevels: ClosedRange<Int32> = -100...19

    var number: UInt32 {
        switch self {
        case .none: 0
        case .zstd: 1
        case .xz: 2
        }
    }

    var level: Int32 {
        switch self {
        case .none: 0
        case .zstd(let level), .xz(let level): level
        }
    }

    public var description: String {
        switch self {
        case .none: "none"
        case .zstd(let level): "zstd:\(level)"
        case .xz(let level): "xz:\(level)"
        }
    }
}

/// One worker's compressor: its state is allocated once.
struct Compressor: ~Copyable {
    private let codec: Codec
    private let context: OpaquePointer?

    /// - Parameter capacity: the most bytes that one call compresses.
    init(_ codec: Codec, capacity: Int) throws(Failure) {
        self.codec = codec
        guard case .zstd(let level) = codec else {
            context = nil
            return
        }
        context = ZSTD_createCCtx()
        guard let context, ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)) == 0 else {
            throw Failure("start", "the zstd compressor", "out of memory")
        }
    }

    deinit { ZSTD_freeCCtx(context) }

    /// Compresses `input` into `output`.
    /// - Returns: the bytes written, or nil where the result is no smaller than `limit`.
    borrowing func compress(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer, limit: Int
    ) throws(Failure) -> Int? {
        let room = min(limit, output.count)
        switch codec {
        case .none: return nil
        case .zstd:
            let size = ZSTD_compress2(context, output.baseAddress, room, input.baseAddress, input.count)
            if ZSTD_isError(size) == 0 { return size < limit ? size : nil }
            if ZSTD_getErrorCode(size) == ZSTD_error_dstSize_tooSmall { return nil }
            throw Failure("compress", "\(input.count) bytes", String(cString: ZSTD_getErrorName(size)))
        case .xz(let level):
            return try xzCompress(input, into: UnsafeMutableRawBufferPointer(rebasing: output[..<room]), level: level)
        }
    }
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

private func xzCompress(
    _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer, level: Int32
) throws(Failure) -> Int? {
    var options = lzma_options_lzma()
    guard lzma_lzma_preset(&options, UInt32(level)) == 0 else {
        throw Failure("compress", "a chunk", "xz has no level \(level)")
    }
    options.dict_size = min(options.dict_size, xzDictionaryByteCount)
    var written = 0
    let result = withUnsafeMutablePointer(to: &options) { options in
        var filters = [
            lzma_filter(id: lzma_vli(0x21), options: options),  // LZMA_FILTER_LZMA2
            lzma_filter(id: lzma_vli.max, options: nil),  // LZMA_VLI_UNKNOWN ends the list
        ]
        // The chunk has a checksum of its own.
        return lzma_stream_buffer_encode(
            &filters, LZMA_CHECK_NONE, nil, input.baseAddress, input.count, output.baseAddress, &written, output.count)
    }
    if result == LZMA_OK { return written }
    if result == LZMA_BUF_ERROR { return nil }
    throw Failure("compress", "a chunk", "liblzma answers \(result.rawValue)")
}

private func xzDecompress(
    _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
) throws(Failure) -> Int {
    var limit: UInt64 = 64 << 20
    var read = 0
    var written = 0
    let result = lzma_stream_buffer_decode(
        &limit, 0, nil, input.baseAddress, &read, input.count, output.baseAddress, &written, output.count)
    guard result == LZMA_OK, read == input.count else {
        throw Failure("decompress", "a chunk", "liblzma answers \(result.rawValue)")
    }
    return written
}
