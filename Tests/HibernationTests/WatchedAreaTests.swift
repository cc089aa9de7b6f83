import Basics
import Foundation
import Linux
import MemoryImage
import Testing

@testable import Hibernation

/// Areas of files that take the place of block devices.
@Suite struct WatchedAreaTests {
    private let file = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)")
    private let state: ChildState

    init() throws {
        state = try ChildState()
        try Data((0..<3 << 20).map { UInt8(truncatingIfNeeded: $0 / 1000) }).write(to: file)
    }

    private func area(_ bytes: Range<UInt64>) throws -> WatchedArea {
        try WatchedArea(user: "the ext4 on /x", device: file.path, deviceByteCount: 3 << 20, bytes: bytes)
            .fingerprinted(DeviceCatalog(state), seconds: 0, state)
    }

    private func change(at offset: UInt64) throws {
        let handle = try FileHandle(forUpdating: file)
        try handle.seek(toOffset: offset)
        try handle.write(contentsOf: Data([0xff]))
        try handle.close()
    }

    @Test(arguments: [0..<3 << 20, 4096..<8192, 512..<1024, 2_000_000..<3 << 20] as [Range<UInt64>])
    func seesAChangedByte(bytes: Range<UInt64>) throws {
        defer { try? FileManager.default.removeItem(at: file) }
        let area = try area(bytes)
        #expect(area.checksum != 0)
        try area.expectUnchanged(DeviceCatalog(state), seconds: 0, state)
        // Outside, as far as whole pages are read.
        if bytes.lowerBound > 4096 { try change(at: 0) }
        if bytes.upperBound < 1 << 20 { try change(at: 1 << 20) }
        try area.expectUnchanged(DeviceCatalog(state), seconds: 0, state)
        try change(at: bytes.upperBound - 1)
        let failure = #expect(throws: Failure.self) {
            try area.expectUnchanged(DeviceCatalog(state), seconds: 0, state)
        }
        #expect(failure?.description.contains("the ext4 on /x was used since") ?? false)
        #expect(failure?.isFinal == true, "what was used stays used")
    }

    @Test func seesAnotherSize() throws {
        defer { try? FileManager.default.removeItem(at: file) }
        let area = try area(0..<4096)
        let handle = try FileHandle(forUpdating: file)
        try handle.truncate(atOffset: 4 << 20)
        try handle.close()
        let failure = #expect(throws: Failure.self) {
            try area.expectUnchanged(DeviceCatalog(state), seconds: 0, state)
        }
        #expect(failure?.reason.contains("has 4194304 bytes, and had 3145728") ?? false)
    }

    @Test func missesTheDevice() throws {
        let area = try area(0..<4096)
        try FileManager.default.removeItem(at: file)
        let failure = #expect(throws: Failure.self) {
            try area.expectUnchanged(DeviceCatalog(state), seconds: 0, state)
        }
        #expect(failure?.reason.contains("is missing") ?? false)
        #expect(failure?.isFinal == false, "a person can attach it")
    }

    @Test func refusesASuperblockThatChanged() throws {
        var description = ImageDescription()
        description.partitionUUID = Basics.UUID("01234567-89ab-4cde-8f01-23456789abcd") ?? .zero
        description.partitionGeneration = 4
        let path = file.path
        let handle = try FileHandle(forWritingTo: file)
        try handle.truncate(atOffset: 16 << 20)
        try handle.close()
        defer { try? FileManager.default.removeItem(at: file) }
        try HibernationPartition.format(path, label: "", uuid: description.partitionUUID, [])
        var superblock = try HibernationPartition(path).superblock
        superblock.generation = 4
        try requireUnchanged(superblock, description, path)
        superblock.generation = 5
        #expect(throws: Failure.self) { try requireUnchanged(superblock, description, path) }
        // Another partition, which the administrator named for kernel B.
        superblock.uuid = .zero
        try requireUnchanged(superblock, description, path)
    }
}
