// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import MemoryImage

@Suite struct ChunkHeaderTests {
    private static func header() -> ChunkHeader {
        ChunkHeader(
            imageUUID: MemoryFixture.imageUUID, sequence: 9, codecNumber: 1,
            runs: [
                PageRun(firstFrame: 5, count: 2, kind: .data), PageRun(firstFrame: 7, count: 9, kind: .zero),
                PageRun(firstFrame: 16, count: 4, kind: .free),
                PageRun(firstFrame: 1 << 39, count: 1, kind: .data),
            ], dataPages: 3, zeroPages: 13, payloadOffset: 192, payloadByteCount: 1000, payloadChecksum: 77)
    }

    private static func chunk(_ header: ChunkHeader) -> [UInt8] {
        let bytes = header.encoded().bytes
        return bytes + [UInt8](repeating: 0, count: max(0, header.storedByteCount - bytes.count))
    }

    private static func decode(_ chunk: [UInt8]) throws -> ChunkHeader {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: chunk.count, alignment: 8)
        defer { copy.deallocate() }
        copy.copyBytes(from: chunk)
        return try ChunkHeader(decoding: UnsafeRawBufferPointer(copy))
    }

    @Test func readsWhatItWrites() throws {
        let header = Self.header(), read = try Self.decode(Self.chunk(header))
        #expect(read.imageUUID == header.imageUUID)
        #expect(read.sequence == 9 && read.codecNumber == 1 && read.runs == header.runs)
        #expect(read.dataPages == 3 && read.zeroPages == 13)
        #expect(read.payloadOffset == 192 && read.payloadByteCount == 1000 && read.payloadChecksum == 77)
        #expect(read.checksum == header.encoded().checksum)
        #expect(read.storedByteCount == 4096)
    }

    @Test func noticesEveryFlippedByte() throws {
        let chunk = Self.chunk(Self.header())
        for i in 0..<ChunkHeader.byteCount(runs: 3) {
            var damaged = chunk
            damaged[i] ^= 0x20
            #expect(throws: Failure.self, "byte \(i)") { try Self.decode(damaged) }
        }
    }

    @Test func refusesEveryTruncation() throws {
        let chunk = Self.chunk(Self.header())
        for count in stride(from: 0, to: 1192, by: 7) {
            #expect(throws: Failure.self, "\(count) bytes") { try Self.decode(Array(chunk.prefix(count))) }
        }
    }

    /// Wrong contents with right checksums.
    private nonisolated(unsafe) static let mistakes: [(inout ChunkHeader) -> Void] = [
        { $0.dataPages = 4 }, { $0.zeroPages = 8 }, { $0.payloadOffset = 100 }, { $0.payloadByteCount = 1 << 21 },
        { $0.runs[1].count = 0 }, { $0.runs[0].firstFrame = 1 << 40 }, { $0.runs[0].firstFrame = UInt64.max },
        {
            $0.runs[2].firstFrame = (1 << 40) - 1; $0.runs[2].count = 2; $0.dataPages = 4
        },
        {
            $0.runs = Array(repeating: PageRun(firstFrame: 1, count: 1, kind: .zero), count: 497); $0.zeroPages = 497
        },
        {
            $0.runs[0].count = 257; $0.dataPages = 258
        },
    ]

    @Test func refusesWhatCannotBe() {
        for (number, change) in Self.mistakes.enumerated() {
            var header = Self.header()
            change(&header)
            let chunk = Self.chunk(header) + [UInt8](repeating: 0, count: 16384)
            #expect(throws: Failure.self, "mistake \(number)") { try Self.decode(chunk) }
        }
    }
}
