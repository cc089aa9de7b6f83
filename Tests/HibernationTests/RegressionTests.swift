// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import BlockStore
import Foundation
import Linux
import Testing

@testable import Hibernation
@testable import Kexec
@testable import MemoryImage
@testable import PhysicalMemory

/// Mistakes that were made once.
@Suite struct RegressionTests {
    private func withFile(_ byteCount: Int, _ body: (String) throws -> Void) throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)").path
        try Data(count: byteCount).write(to: URL(filePath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        try body(path)
    }

    private func put(_ bytes: [UInt8], at offset: UInt64, _ path: String) throws {
        let file = try #require(FileHandle(forUpdatingAtPath: path))
        try file.seek(toOffset: offset)
        try file.write(contentsOf: Data(bytes))
        try file.close()
    }

    /// A superblock of md (version 1.0) lies behind the area that formatting zeroes.
    @Test func formattingWipesForeignSignatures() throws {
        try withFile(4 << 20) { (path: String) throws in
            let sector = UInt64((4 << 20) / 512 - 16)
            var raid = [UInt8](repeating: 0, count: 256)
            raid.put(UInt32(0xa92b_4efc), at: 0)
            raid.put(UInt32(1), at: 4)
            raid.put((1...16).map { UInt8($0) }, at: 16, limit: 16)
            raid.put(sector, at: 144)
            var sum: UInt64 = 0
            for i in 0..<64 { sum += UInt64(try raid.span.bytes.integer(at: i * 4, as: UInt32.self)) }
            raid.put(UInt32(truncatingIfNeeded: sum & 0xffff_ffff + sum >> 32), at: 216)
            try put(raid, at: sector * 512, path)
            try #require(try probeContent(path).type == "linux_raid_member")
            try HibernationPartition.format(path, label: "", uuid: .zero, [])
            #expect(try probeContent(path).type == nil)
        }
    }

    /// The newest slot was written by a later version: what an older slot says is not true any more.
    @Test func doesNotFallBackBehindALaterVersion() throws {
        try withFile(4 << 20) { (path: String) throws in
            try HibernationPartition.format(path, label: "", uuid: .zero, [])
            let partition = try HibernationPartition(path, .write)
            try partition.update { $0.state = .ready }
            try partition.update { $0.state = .consumed }
            var block = partition.superblock.encoded()
            block.put(Superblock.version + 1, at: 8)
            block.put(xxh64(block, count: 4088), at: 4088)
            try put(block, at: 0, path)
            #expect(throws: Failure.self) { try HibernationPartition(path) }
        }
    }
}
