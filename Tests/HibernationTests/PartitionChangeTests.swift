// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Linux
import MemoryImage
import Testing

@testable import Hibernation

@Suite struct PartitionChangeTests {
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
}
