// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Linux
import MemoryImage
import PhysicalMemory
import Testing

@testable import Hibernation

@Suite struct PartitionChecksTests {
    @Test func writesRangesForTheLog() {
        #expect(describeRanges([0x1000..<0x2000, 0x10_0000..<0x20_0000]) == "0x1000-0x2000 0x100000-0x200000")
        #expect(describeRanges([]) == "")
    }

    private let file = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)")

    @Test func refusesASuperblockThatChanged() throws {
        var description = ImageDescription()
        description.partitionUUID = Basics.UUID("01234567-89ab-4cde-8f01-23456789abcd") ?? .zero
        description.partitionGeneration = 4
        let path = file.path
        try Data().write(to: file)
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

    @Test func aPendingImageIsNotOverwritten() {
        var superblock = Superblock(uuid: .zero, label: "", deviceByteCount: 1)
        for state: Superblock.State in [.empty, .saving, .ready, .attempted, .consumed, .failed, .snapshot] {
            superblock.state = state
            let isRefused = (try? requireNoPendingImage(superblock, "/dev/x")) == nil
            #expect(isRefused == (state == .ready || state == .attempted), "\(state)")
        }
    }
}
