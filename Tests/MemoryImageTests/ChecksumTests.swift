// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import MemoryImage

@Suite struct ChecksumTests {
    /// Values of the self-test of the library (tests/sanity_test_vectors.h), for a buffer that the test generates.
    @Test func computesXXH64() {
        var state: UInt64 = 0x9e37_79b1
        let bytes = (0..<222).map { _ in
            defer { state &*= 0x9e37_79b1_85eb_ca8d }
            return UInt8(state >> 56)
        }
        #expect(xxh64([]) == 0xef46_db37_51d8_e999)
        #expect(xxh64(bytes, count: 1) == 0xe934_a84a_db05_2768)
        #expect(xxh64(bytes) == 0xb641_ae8c_b691_c174)
        #expect(bytes.withUnsafeBytes { xxh64($0, seed: 0x9e37_79b1) } == 0x20cb_8ab7_ae10_c14a)
    }

    /// Pieces of any size give the same checksum as one piece.
    @Test func computesXXH64OfPieces() {
        let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 / 256) }
        for sizes in [[100_000], [1], [31, 1], [32], [33, 64, 7], [65_536]] {
            var sum = StreamedXXH64()
            var start = 0, number = 0
            while start < bytes.count {
                let end = min(bytes.count, start + sizes[number % sizes.count])
                bytes.withUnsafeBytes { sum.add(UnsafeRawBufferPointer(rebasing: $0[start..<end])) }
                #expect(number > 100 || sum.value == xxh64(bytes, count: end), "\(sizes): the first \(end) bytes")
                start = end
                number += 1
            }
            #expect(sum.value == xxh64(bytes), "\(sizes)")
        }
        #expect(StreamedXXH64().value == xxh64([]))
    }
}
