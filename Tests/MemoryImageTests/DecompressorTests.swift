// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import MemoryImage

/// A decompressor writes into the memory of kernel A. Whatever it reads, it must stay within the buffer that it was given.
@Suite struct DecompressorTests {
    private static let text = (0..<8192).map { UInt8(truncatingIfNeeded: $0 / 50 * 7) }
    private static let guardByteCount = 4096

    private func pack(_ codec: Codec) throws -> [UInt8] {
        let compressor = try Compressor(codec)
        var output = [UInt8](repeating: 0, count: Self.text.count)
        let size = try Self.text.withUnsafeBytes { input in
            try output.withUnsafeMutableBytes { try compressor.compress(input, into: $0, limit: Self.text.count) }
        }
        return Array(output.prefix(try #require(size)))
    }

    /// The output, and whether the bytes around it are unchanged.
    private func unpack(
        _ packed: [UInt8], _ codec: Codec, by decompressor: borrowing Decompressor, count: Int = text.count
    ) -> (output: [UInt8]?, isContained: Bool) {
        let inside = Self.guardByteCount..<Self.guardByteCount + count
        var memory = [UInt8](repeating: 0xd7, count: count + 2 * Self.guardByteCount)
        var isDone = false
        packed.withUnsafeBytes { input in
            memory.withUnsafeMutableBytes {
                let output = UnsafeMutableRawBufferPointer(rebasing: $0[inside])
                isDone = (try? decompressor.decompress(input, codecNumber: codec.number, into: output)) != nil
            }
        }
        let isContained =
            memory[..<inside.lowerBound].allSatisfy { $0 == 0xd7 }
            && memory[inside.upperBound...].allSatisfy { $0 == 0xd7 }
        return (isDone ? Array(memory[inside]) : nil, isContained)
    }

    @Test(arguments: Array(stride(from: -100, through: 19, by: 7)) + [0, 19] as [Int32])
    func givesBackWhatZstdCompressed(level: Int32) throws { try expectRoundTrip(.zstd(level: level)) }

    @Test(arguments: 0...9 as ClosedRange<Int32>)
    func givesBackWhatXZCompressed(level: Int32) throws { try expectRoundTrip(.xz(level: level)) }

    @Test func givesBackWhatLZ4Compressed() throws { try expectRoundTrip(.lz4) }

    private func expectRoundTrip(_ codec: Codec) throws {
        let packed = try pack(codec)
        #expect(packed.count < Self.text.count)
        #expect(unpack(packed, codec, by: try Decompressor()).output == Self.text)
    }

    @Test(arguments: [Codec.lz4, .zstd(level: 1), .xz(level: 0)])
    func staysWithinItsOutput(codec: Codec) throws {
        let packed = try pack(codec)
        let decompressor = try Decompressor()
        for i in packed.indices {
            for value: UInt8 in [0x01, 0x10, 0x80, 0xff] {
                var damaged = packed
                damaged[i] ^= value
                #expect(unpack(damaged, codec, by: decompressor).isContained, "byte \(i)")
            }
            #expect(unpack(Array(packed.prefix(i)), codec, by: decompressor).output == nil, "\(i) bytes")
        }
        for count in [0, 1, 4096, 8191, 8193, 12288] {
            let result = unpack(packed, codec, by: decompressor, count: count)
            #expect(result.output == nil && result.isContained, "\(count) bytes")
        }
        // Earlier input must not change later output.
        #expect(unpack(packed, codec, by: decompressor).output == Self.text)
    }

    @Test(arguments: [Codec.lz4, .zstd(level: 1), .xz(level: 0)])
    func refusesMoreThanOneStream(codec: Codec) throws {
        let packed = try pack(codec)
        let decompressor = try Decompressor()
        #expect(unpack(packed + [0], codec, by: decompressor).output == nil)
        #expect(unpack(packed + packed, codec, by: decompressor).output == nil)
        #expect(unpack([], codec, by: decompressor).output == nil)
    }

    @Test(arguments: [0, 1, 4095, 4097])
    func takesStoredBytesOnlyInTheRightNumber(count: Int) throws {
        let decompressor = try Decompressor()
        let stored = [UInt8](repeating: 3, count: 4096)
        let result = unpack(stored, .none, by: decompressor, count: count)
        #expect(result.output == nil && result.isContained)
        #expect(unpack(stored, .none, by: decompressor, count: 4096).output == stored)
    }

    @Test(arguments: ["none", "lz4", "zstd:1", "zstd:-100", "zstd:19", "zstd:0", "xz:0", "xz:9"])
    func codecsAreWrittenAsTheyAreRead(text: String) throws {
        let codec = try Codec(parsing: text)
        #expect(codec.description == text)
        #expect(Codec(number: codec.number, level: codec.level) == codec)
    }

    @Test(
        arguments: [(0, 1), (1, 20), (1, -101), (2, -1), (2, 10), (3, 1), (4, 0), (UInt32.max, 0)] as [(UInt32, Int32)])
    func refusesOtherNumbers(number: UInt32, level: Int32) { #expect(Codec(number: number, level: level) == nil) }
}
