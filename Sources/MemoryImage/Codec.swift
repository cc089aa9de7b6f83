// SPDX-License-Identifier: Apache-2.0
import Basics

/// How the bytes of a chunk are stored: as they are, or compressed at a level.
public enum Codec: Equatable, Sendable, CustomStringConvertible {
    case none
    case lz4
    case zstd(level: Int32)
    case xz(level: Int32)

    /// The codec that is used if nobody asks for one.
    public static let standard = Codec.lz4

    /// The codec that a text names: `none`, `lz4`, `zstd[:level]`, `xz[:level]`.
    public init(parsing text: String) throws(Failure) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map { String($0) }
        let remedy = "use none, lz4, zstd[:level] or xz[:level]"
        var level: Int32?
        if parts.count == 2 {
            let isNegative = parts[1].utf8.first == UInt8(ascii: "-")
            let digits = isNegative ? String(decoding: parts[1].utf8.dropFirst(), as: UTF8.self) : parts[1]
            guard let number = parseNumber(digits), number < 1 << 20 else {
                throw Failure("read", "codec \(text)", "\(parts[1]) is not a level", remedy: remedy)
            }
            level = isNegative ? -Int32(number) : Int32(number)
        }
        switch parts[0] {
        case "none" where parts.count == 1: self = .none
        case "lz4" where parts.count == 1: self = .lz4
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

    /// The codec with a number of the format and a level; nil if there is no such codec or level.
    init?(number: UInt32, level: Int32) {
        switch number {
        case 0 where level == 0: self = .none
        case 1 where Codec.zstdLevels.contains(level): self = .zstd(level: level)
        case 2 where (0...9).contains(level): self = .xz(level: level)
        case 3 where level == 0: self = .lz4
        default: return nil
        }
    }

    /// Levels of zstd that fit into kernel B's memory: above 19 a worker needs too much.
    static let zstdLevels: ClosedRange<Int32> = -100...19

    var number: UInt32 {
        switch self {
        case .none: 0
        case .zstd: 1
        case .xz: 2
        case .lz4: 3
        }
    }

    var level: Int32 {
        switch self {
        case .none, .lz4: 0
        case .zstd(let level), .xz(let level): level
        }
    }

    /// The level in the upper half, the number in the lower, as a superblock has them.
    var numberAndLevel: UInt64 { UInt64(UInt32(bitPattern: level)) << 32 | UInt64(number) }

    /// nil if there is no such codec or level.
    init?(numberAndLevel bits: UInt64) {
        self.init(
            number: UInt32(truncatingIfNeeded: bits), level: Int32(truncatingIfNeeded: bits >> 32))
    }

    /// Bytes that one worker takes at most, of a writer or a reader: two buffers and the state of the codec.
    public var workerByteCount: UInt64 {
        let buffers = 2 * ChunkHeader.maximumByteCount
        // The state of a zstd decoder has some 160 KiB, that of xz 64 KiB and a dictionary of up to 1 MiB.
        let decoder = 5 << 18
        return UInt64(
            buffers + decoder + Compressor.stateByteCount(self, inputs: ChunkHeader.maximumPayloadByteCount))
    }

    public var description: String {
        switch self {
        case .none: "none"
        case .lz4: "lz4"
        case .zstd(let level): "zstd:\(level)"
        case .xz(let level): "xz:\(level)"
        }
    }
}
