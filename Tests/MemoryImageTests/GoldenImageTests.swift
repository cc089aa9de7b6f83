// SPDX-License-Identifier: Apache-2.0
import Basics
import Fixtures
import Foundation
import Testing

@testable import MemoryImage

/// Images that earlier versions wrote, read with the present code.
@Suite struct GoldenImageTests {
    private static let files = GoldenFiles.names

    private func image(_ file: String) throws -> GoldenImage {
        let parts = file.split(separator: "-", maxSplits: 1)
        let version = try #require(parts.count == 2 ? UInt32(parts[0].dropFirst()) : nil, "\(file) has no version")
        return try #require(GoldenImage(String(parts[1]), version: version), "nobody knows what \(file) holds")
    }

    /// The image in a file, which exists as long as the object.
    private func unpack(_ file: String) throws -> PartitionFile {
        let unpacked = try PartitionFile(0)
        try Data(GoldenFiles.bytes(of: file)).write(to: URL(filePath: unpacked.path))
        return unpacked
    }

    @Test func noneIsMissing() {
        #expect(Self.files.filter { $0.hasPrefix("v1-") }.count == 10)
        #expect(Self.files.filter { $0.hasPrefix("v2-") }.count == 11)
        for version in 1...Superblock.version {
            #expect(Self.files.contains { $0.hasPrefix("v\(version)-") }, "there is none of version \(version)")
        }
    }

    @Test(arguments: files) func isReadAsItWasWritten(file: String) throws {
        let golden = try image(file), unpacked = try unpack(file)
        let partition = try HibernationPartition(unpacked.path)
        let superblock = partition.superblock
        #expect(superblock.state == golden.state && superblock.reason == golden.reason)
        #expect(superblock.uuid == GoldenImage.uuid && superblock.label == GoldenImage.label)
        #expect(superblock.deviceByteCount == GoldenImage.byteCount && superblock.time > 1_500_000_000)
        guard golden.state != .empty else {
            #expect(superblock.imageUUID == .zero && superblock.counts == ImageCounts())
            return
        }
        #expect(superblock.imageUUID == GoldenImage.imageUUID && superblock.codec == golden.codec)
        guard golden.isComplete else {
            #expect(throws: Failure.self) { try ImageReader(partition) }
            return
        }
        #expect(superblock.counts.dataPages == golden.count(.data))
        #expect(superblock.counts.zeroPages == golden.count(.zero) + golden.count(.free))
        #expect(superblock.counts.freePages == (golden.version == 1 ? 0 : golden.count(.free)))
        #expect(superblock.counts.milliseconds == 1234)
        #expect(superblock.version == golden.version)
        #expect(superblock.features == (golden.version == 1 ? [] : .indexBlocks))

        let reader = try ImageReader(partition)
        #expect(reader.description == golden.description)
        try reader.verify()
        try expectPages(of: golden, ImageReader(partition))
    }

    private func expectPages(of golden: GoldenImage, _ reader: ImageReader) throws {
        var sink = GoldenSink()
        let chunks = try reader.makeChunkReader()
        for entry in try reader.entries() { _ = try chunks.read(entry, into: &sink) }
        let pages = sink.pages()
        #expect(pages.count + sink.free.count == golden.frames.joined().count, "a page is missing, or one too many")
        let wrong = golden.frames.joined().filter { frame in
            switch golden.kind(of: frame) {
            case .free: !sink.free.contains(frame)
            case .zero: pages[frame] != [UInt8](repeating: 0, count: Int(pageSize))
            case .data: pages[frame] != golden.contents(of: frame)
            }
        }
        #expect(wrong == [])
    }

    /// An image of version 1 may reach into the last MiB of its partition.
    @Test func versionOneUsedTheWholePartition() throws {
        let unpacked = try unpack("v1-full")
        let counts = try HibernationPartition(unpacked.path).superblock.counts
        #expect(counts.storedBytes > GoldenImage.byteCount - 64 << 10 && counts.storedBytes <= GoldenImage.byteCount)
    }

    /// A change to a superblock of an earlier version keeps that version.
    @Test(arguments: files) func becomesWhatAnImageCanBecome(file: String) throws {
        let golden = try image(file), unpacked = try unpack(file)
        let before = try HibernationPartition(unpacked.path).superblock
        try HibernationPartition(unpacked.path, .write).update { $0.state = .consumed }
        let partition = try HibernationPartition(unpacked.path)
        #expect(partition.superblock.state == .consumed && partition.superblock.generation == before.generation + 1)
        #expect(partition.superblock.version == golden.version, "an older torpor could not read its own image any more")
        if golden.isComplete { try ImageReader(partition).verify() }
        try HibernationPartition(unpacked.path, .write).discardImage()
        #expect(try HibernationPartition(unpacked.path).superblock.state == .empty)
    }

    /// Version 1 cleared the counts of an image that failed or was discarded, and left its contents.
    @Test(arguments: ["v1-discarded", "v1-failed", "v1-empty"]) func whatVersionOneLeftIsErased(file: String) throws {
        let unpacked = try unpack(file)
        let partition = try HibernationPartition(unpacked.path, .write)
        // Nothing was ever written to this one.
        guard file != "v1-empty" else {
            #expect(partition.superblock.contentsEnd == 0 && partition.superblock.isUnused)
            return
        }
        try unpacked.put([0x55], at: Int(GoldenImage.byteCount) - 1)
        #expect(partition.superblock.contentsEnd == GoldenImage.byteCount && !partition.superblock.isUnused)
        let state = partition.superblock.state
        #expect(try partition.eraseContents() != nil)
        #expect(try unpacked.bytes[(1 << 20)...].allSatisfy { $0 == 0 }, "something is left")
        for _ in 0..<2 {
            let superblock = try HibernationPartition(unpacked.path).superblock
            #expect(superblock.isUnused && superblock.state == state && superblock.version == 1)
            #expect(try HibernationPartition(unpacked.path, .write).eraseContents() == nil)
            try HibernationPartition(unpacked.path, .write).update { $0.label = "other" }
        }
        try HibernationPartition(unpacked.path, .write).discardImage()
        #expect(try HibernationPartition(unpacked.path).superblock.isUnused, "it is still known as erased")
    }

    /// A partition is formatted once. Later versions write their images onto it.
    @Test(arguments: files) func isWrittenOverByTheNextImage(file: String) throws {
        let unpacked = try unpack(file)
        let memory = MemoryFixture(pageCount: 300)
        try memory.write(to: HibernationPartition(unpacked.path, .write), .zstd(level: 1))
        let partition = try HibernationPartition(unpacked.path)
        #expect(partition.superblock.state == .ready && partition.superblock.uuid == GoldenImage.uuid)
        #expect(partition.superblock.label == GoldenImage.label && partition.superblock.version == Superblock.version)
        #expect(partition.superblock.dataArea.upperBound == GoldenImage.byteCount - 1 << 20)
        #expect(try unpacked.bytes[Int(GoldenImage.byteCount - 1 << 20)...].allSatisfy { $0 == 0 })
        try ImageReader(partition).verify()
        #expect(try ImageReader(partition).collect() == memory.pages)
    }

    /// With TORPOR_WRITE_GOLDEN set, writes the images of the present version that are missing.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["TORPOR_WRITE_GOLDEN"] != nil)) func writesImages() throws {
        for name in GoldenImage.names {
            let target = GoldenFiles.folder.appending(path: "v\(Superblock.version)-\(name)\(GoldenFiles.suffix)").path
            if FileManager.default.fileExists(atPath: target) { continue }
            let golden = try #require(GoldenImage(name, version: Superblock.version))
            let file = try PartitionFile(GoldenImage.byteCount)
            try golden.write(to: file.path)
            try GoldenFiles.gzip(["-9nc", file.path], into: target)
        }
    }
}

/// A sink that collects pages, and free pages apart from them.
private struct GoldenSink: PageSink {
    private(set) var free: Set<UInt64> = []
    private var collecting = CollectingSink()

    mutating func memory(for addresses: PhysicalRange) throws(Failure) -> UnsafeMutableRawBufferPointer? {
        try collecting.memory(for: addresses)
    }

    mutating func leaveAlone(_ addresses: PhysicalRange) {
        free.formUnion(addresses.lowerBound / pageSize..<addresses.upperBound / pageSize)
    }

    mutating func pages() -> [UInt64: [UInt8]] {
        collecting.finish()
        return collecting.pages
    }
}
