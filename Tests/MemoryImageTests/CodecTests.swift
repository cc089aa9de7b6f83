// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import MemoryImage

@Suite struct CodecTests {
    @Test(arguments: [
        ("none", Codec.none), ("lz4", .lz4), ("zstd", .zstd(level: 1)), ("zstd:19", .zstd(level: 19)),
        ("zstd:-5", .zstd(level: -5)),
        ("xz", .xz(level: 0)), ("xz:9", .xz(level: 9)),
    ])
    func readsCodecs(text: String, expected: Codec) throws { #expect(try Codec(parsing: text) == expected) }

    @Test(arguments: [
        "", "lzma", "lz4:1", "none:1", "zstd:", "zstd:20", "zstd:-101", "zstd:x", "xz:10", "xz:-1", "zstd:1:2",
        "zstd:99999999999999999999",
    ])
    func refusesOtherCodecs(text: String) {
        let failure = #expect(throws: Failure.self) { try Codec(parsing: text) }
        #expect(failure?.remedy != nil)
    }

    private static let text = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 / 100) }

    @Test(arguments: [Codec.lz4, .zstd(level: 1), .zstd(level: -20), .zstd(level: 12), .xz(level: 0), .xz(level: 6)])
    func givesBackWhatItCompressed(codec: Codec) throws {
        let packed = try #require(try pack(Self.text, codec, limit: 90_000))
        #expect(packed.count < 50_000)
        #expect(try unpack(packed, codec, count: 100_000) == Self.text)
        for count in [0, 99_999, 100_001] {
            #expect(throws: Failure.self, "\(count) bytes") { try unpack(packed, codec, count: count) }
        }
        for cut in [0, 1, packed.count / 2, packed.count - 1] {
            #expect(throws: Failure.self) { try unpack(Array(packed.prefix(cut)), codec, count: 100_000) }
        }
        #expect(throws: Failure.self) { try unpack([UInt8](repeating: 0xa5, count: 500), codec, count: 100_000) }
    }

    @Test(arguments: [Codec.none, .lz4, .zstd(level: 1), .xz(level: 0)])
    func leavesAloneWhatDoesNotShrink(codec: Codec) throws {
        #expect(try pack(Self.noise(65536), codec, limit: 61440) == nil)
        #expect(try pack(Self.noise(1 << 20), codec, limit: 1_044_480) == nil)
    }

    /// A sample decides for a whole chunk, and must notice if a part of it is not random.
    @Test(arguments: [Codec.lz4, .zstd(level: 1), .zstd(level: -7), .xz(level: 0)], [0, 1, 2])
    func compressesWhatIsRandomInPart(codec: Codec, part: Int) throws {
        var bytes = Self.noise(1 << 20)
        let start = part * 350_000
        for i in start..<start + 300_000 { bytes[i] = UInt8(truncatingIfNeeded: i / 100) }
        let packed = try #require(try pack(bytes, codec, limit: 1_044_480))
        #expect(packed.count < 800_000)
        #expect(try unpack(packed, codec, count: bytes.count) == bytes)
    }

    private static func noise(_ count: Int) -> [UInt8] {
        var state: UInt64 = 1
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1
            return UInt8(truncatingIfNeeded: state >> 56)
        }
    }

    @Test func refusesACodecThatItDoesNotKnow() {
        #expect(throws: Failure.self) { try unpack([1], number: 4, count: 1) }
    }

    private func pack(_ input: [UInt8], _ codec: Codec, limit: Int) throws -> [UInt8]? {
        let compressor = try Compressor(codec)
        let output = UnsafeMutableRawBufferPointer.allocate(byteCount: input.count, alignment: 8)
        let source = UnsafeMutableRawBufferPointer.allocate(byteCount: input.count, alignment: 8)
        defer {
            output.deallocate()
            source.deallocate()
        }
        source.copyBytes(from: input)
        return try compressor.compress(UnsafeRawBufferPointer(source), into: output, limit: limit).map {
            Array(output[..<$0])
        }
    }

    private func unpack(_ input: [UInt8], _ codec: Codec, count: Int) throws -> [UInt8] {
        try unpack(input, number: codec.number, count: count)
    }

    private func unpack(_ input: [UInt8], number: UInt32, count: Int) throws -> [UInt8] {
        let decompressor = try Decompressor()
        let output = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 8)
        let source = UnsafeMutableRawBufferPointer.allocate(byteCount: input.count, alignment: 8)
        defer {
            output.deallocate()
            source.deallocate()
        }
        source.copyBytes(from: input)
        try decompressor.decompress(UnsafeRawBufferPointer(source), codecNumber: number, into: output)
        return Array(output)
    }
}
