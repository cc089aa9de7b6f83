// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import MemoryImage

/// Bytes as nobody wrote them: each decoder refuses them or makes something of them that holds, and never traps.
@Suite struct MalformedInputTests {
    private static let values: [UInt8] = [0, 1, 0x7f, 0x80, 0xff]

    /// Checksums that are right over a header in which one byte is wrong.
    @Test func headersKeepTheirPromises() throws {
        let header = ChunkHeader(
            imageUUID: MemoryFixture.imageUUID, sequence: 1, codecNumber: 0,
            runs: [PageRun(firstFrame: 5, count: 2, kind: .data), PageRun(firstFrame: 7, count: 9, kind: .zero)],
            dataPages: 2, zeroPages: 9, payloadOffset: 192, payloadByteCount: 8192, payloadChecksum: 7)
        let bytes = header.encoded().bytes
        for i in bytes.indices where !(112..<120).contains(i) {
            for value in Self.values {
                var changed = bytes
                changed[i] = value
                changed.put(UInt64(0), at: 112)
                changed.put(xxh64(changed), at: 112)
                let chunk = changed + [UInt8](repeating: 0, count: header.storedByteCount - changed.count)
                guard let read = try? chunk.withUnsafeBytes({ try ChunkHeader(decoding: $0) }) else { continue }
                #expect(read.payloadOffset + read.payloadByteCount <= chunk.count, "byte \(i) = \(value)")
                #expect(read.payloadOffset >= bytes.count, "byte \(i) = \(value)")
                #expect(read.runs.allSatisfy { $0.addresses.map { !$0.isEmpty } ?? false }, "byte \(i) = \(value)")
                let pages = read.runs.filter { $0.kind == .data }.map { Int($0.count) }.reduce(0, +)
                #expect(pages == read.dataPages && pages <= ChunkHeader.maximumDataPages, "byte \(i) = \(value)")
            }
        }
    }

    @Test func indexesKeepTheirPromises() throws {
        let area: DeviceRange = 1 << 20..<1 << 24
        let block = IndexBlock(
            imageUUID: MemoryFixture.imageUUID, number: 0,
            entries: (0..<3).map {
                .init(offset: 1 << 20 + $0 * 8192, byteCount: 8192, dataPages: 4, sequence: $0, headerChecksum: 3)
            })
        forEachChange(of: block.encoded()) { changed in
            guard let read = try? IndexBlock(decoding: changed, partition: area) else { return }
            for entry in read.entries {
                #expect(area.contains(entry.offset) && entry.offset + UInt64(entry.byteCount) <= area.upperBound)
                #expect(Int(entry.byteCount) <= ChunkHeader.maximumByteCount, "a reader's buffer is no larger")
            }
        }
        let table = IndexTable(
            imageUUID: MemoryFixture.imageUUID,
            rows: (1..<4).map {
                .init(extent: .init(offset: $0 << 20, byteCount: 128 + $0 * 32, checksum: $0), dataPages: $0)
            })
        forEachChange(of: table.encoded()) { changed in
            guard let read = try? IndexTable(decoding: changed, partition: area) else { return }
            for row in read.rows {
                #expect(area.contains(row.extent.offset))
                #expect(row.extent.offset + row.extent.byteCount <= area.upperBound)
                #expect((1...IndexBlock.maximumEntries).contains(row.chunks))
            }
        }
    }

    private func forEachChange(of bytes: [UInt8], _ body: ([UInt8]) -> Void) {
        for i in bytes.indices {
            for value in Self.values {
                var changed = bytes
                changed[i] = value
                body(changed)
            }
        }
    }

    @Test func descriptionsKeepTheirPromises() throws {
        var description = ImageDescription()
        description.host = "host"
        description.memoryRanges = [0x1000..<0x9f000, 0x10_0000..<0x800_0000]
        description.backupRanges = [0x1000..<0x9f000]
        description.machine.firmwareMap = [.init(addresses: 0..<0x9fc00, type: "System RAM")]
        description.backupSources = [1, 2, 3]
        let bytes = description.encoded()
        for i in bytes.indices {
            for value in Self.values {
                var changed = bytes
                changed[i] = value
                guard let read = try? ImageDescription(decoding: changed) else { continue }
                for ranges in [read.memoryRanges, read.backupRanges] {
                    #expect(ranges.allSatisfy { $0 == $0.wholePages && $0.upperBound <= 1 << 52 }, "byte \(i)")
                    #expect(zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound <= $1.lowerBound }, "byte \(i)")
                }
            }
        }
    }

    /// A field by its number and its bytes, as docs/image-format.md has them.
    @Test(
        arguments: [
            (1, [UInt8](repeating: 1, count: 15)), (1, [UInt8](repeating: 1, count: 17)), (4, [1, 2, 3]), (5, []),
            (6, [1]), (7, [UInt8](repeating: 0, count: 15)), (8, [UInt8](repeating: 0, count: 8)),
            // A range that ends behind 2^52, and one that ends at the last number.
            (8, [UInt8](repeating: 0, count: 8) + [0, 0x10, 0, 0, 0, 0, 0x10, 0]),
            (8, [UInt8](repeating: 0, count: 8) + [UInt8](repeating: 0xff, count: 8)),
            // Firmware ranges: cut off, backwards, with a name longer than the field.
            (9, [UInt8](repeating: 0, count: 19)), (9, [1] + [UInt8](repeating: 0, count: 19)),
            (9, [UInt8](repeating: 0, count: 16) + [1, 0, 0, 0]),
            (9, [UInt8](repeating: 0, count: 16) + [0xff, 0xff, 0xff, 0xff]), (10, [1, 2, 3, 4, 5, 6, 7]),
            (12, [0, 0]),
        ] as [(UInt32, [UInt8])])
    func refusesMalformedFields(tag: UInt32, value: [UInt8]) {
        var bytes = Array("TorporID".utf8)
        bytes.append(littleEndian: tag)
        bytes.append(littleEndian: UInt32(value.count))
        #expect(throws: Failure.self) { try ImageDescription(decoding: bytes + value) }
    }

    @Test func refusesWhatIsNoDescription() {
        #expect(throws: Failure.self) { try ImageDescription(decoding: []) }
        #expect(throws: Failure.self) { try ImageDescription(decoding: Array("TorporIX".utf8)) }
        #expect((try? ImageDescription(decoding: Array("TorporID".utf8))) == ImageDescription())
    }
}
