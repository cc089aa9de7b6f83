// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockStore
import Fixtures
import Foundation
import Linux
import Testing

/// The beginning of a disk, as the tools that own it write it.
private enum Disk: CaseIterable {
    case swap, partitionTable

    static let byteCount = 4 << 20

    var content: [UInt8] {
        switch self {
        case .swap: Disk.swapArea
        case .partitionTable: Disk.table
        }
    }

    /// A swap area: a header at 1024 and the magic at the page's end (<linux/swap.h>, `union swap_header`).
    private static var swapArea: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: byteCount)
        bytes.put(UInt32(1), at: 1024)
        bytes.put(UInt32(byteCount / 4096 - 1), at: 1028)
        bytes.put((0..<16).map { UInt8($0 * 0x11) }, at: 1036, limit: 16)
        bytes.put(text: "nap", at: 1052, limit: 16)
        bytes.put(Array("SWAPSPACE2".utf8), at: 4086, limit: 10)
        return bytes
    }

    /// A partition table of a BIOS with one Linux partition.
    private static var table: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: byteCount)
        bytes[450] = 0x83
        bytes.put(UInt32(2048), at: 454)
        bytes.put(UInt32(4096), at: 458)
        bytes.put(UInt16(0xaa55), at: 510)
        return bytes
    }
}

@Suite struct BlkidTests {
    private func withDisk(_ content: [UInt8], _ body: (String) throws -> Void) throws {
        let url = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)")
        try Data(content).write(to: url)
        defer { try? FileManager.default.removeItem(at: url) }
        try body(url.path)
    }

    @Test func probesASwapArea() throws {
        try withDisk(Disk.swap.content) { (path: String) throws in
            let content = try probeContent(path)
            #expect(content.type == "swap")
            #expect(content.label == "nap")
            #expect(content.uuid == "00112233-4455-6677-8899-aabbccddeeff")
            #expect(content.tableType == nil)
        }
    }

    @Test func distinguishesAPartitionTableFromAFileSystem() throws {
        try withDisk(Disk.partitionTable.content) { (path: String) throws in
            let content = try probeContent(path)
            #expect(content.tableType == "dos" && content.usage == nil)
            #expect(content.type == "dos partition table")
        }
    }

    @Test func findsNothingOnAnEmptyDisk() throws {
        try withDisk([UInt8](repeating: 0, count: Disk.byteCount)) { (path: String) throws in
            let content = try probeContent(path)
            #expect(content.type == nil && content.uuid == nil && content.label == nil && content.tableType == nil)
        }
        #expect(throws: Failure.self) { try probeContent("/nowhere/disk") }
    }

    @Test(arguments: Disk.allCases)
    private func wipesEverySignature(disk: Disk) throws {
        try withDisk(disk.content) { (path: String) throws in
            #expect(try wipeSignatures(File(path, .write), within: nil))
            #expect(try probeContent(path).type == nil)
            #expect(try readFile(path, limit: Disk.byteCount).count == Disk.byteCount)
        }
    }

    /// The partition table tells what a partition is for, whatever is on it.
    @Test(.enabled(if: LoopDevice.areThere && exists("/sbin/sfdisk") && exists("/sbin/mkfs.btrfs")))
    func keepsThePartitionOfAnAmbiguousDevice() throws {
        let path = try LoopDevice.shell(
            """
            f=$(mktemp); truncate -s 140M $f
            echo 'start=2048, size=262144, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, uuid=01234567-89AB-4CDE-8F01-23456789ABCD' |
                sfdisk -q --label gpt $f >/dev/null
            l=$(losetup -f --show $f); rm $f; addpart $l 1 2048 262144; echo $l
            """)
        defer { _ = try? LoopDevice.shell("delpart \(path) 1; losetup -d \(path)") }
        _ = try LoopDevice.shell(
            """
            mkfs.ext4 -q -F \(path)p1; f=$(mktemp); truncate -s 128M $f; mkfs.btrfs -q -f $f
            dd if=$f of=\(path)p1 bs=64k skip=1 seek=1 count=1 conv=notrunc 2>/dev/null; rm $f; sync
            """)
        let content = try probeContent("\(path)p1")
        #expect(content.type == "several overlapping signatures")
        #expect(content.partitionUUID == "01234567-89ab-4cde-8f01-23456789abcd")
        #expect(content.partitionType == "c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
    }
}
