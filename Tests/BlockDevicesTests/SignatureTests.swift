// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockStore
import Foundation
import Linux
import Testing

@testable import BlockDevices

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

@Suite struct SignatureTests {
    private func withDisk(_ content: [UInt8], _ body: (String) throws -> Void) throws {
        let url = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)")
        try Data(content).write(to: url)
        defer { try? FileManager.default.removeItem(at: url) }
        try body(url.path)
    }

    @Test func tellsWhatASwapAreaHolds() throws {
        try withDisk(Disk.swap.content) { (path: String) throws in
            let content = try probeContent(path)
            #expect(content.type == "swap")
            #expect(content.label == "nap")
            #expect(content.uuid == "00112233-4455-6677-8899-aabbccddeeff")
            #expect(!content.isPartitionTable)
            #expect(DeviceName.label("nap").matches(path: path, content))
        }
    }

    @Test func tellsAPartitionTableFromAFileSystem() throws {
        try withDisk(Disk.partitionTable.content) { (path: String) throws in
            let content = try probeContent(path)
            #expect(content.isPartitionTable)
            #expect(content.type == "dos partition table")
        }
    }

    @Test func knowsNothingOfAnEmptyDisk() throws {
        try withDisk([UInt8](repeating: 0, count: Disk.byteCount)) { (path: String) throws in
            let content = try probeContent(path)
            #expect(content.type == nil && content.uuid == nil && content.label == nil && !content.isPartitionTable)
        }
        #expect(throws: Failure.self) { try probeContent("/nowhere/disk") }
    }

    @Test(arguments: Disk.allCases)
    private func wipesEverySignature(disk: Disk) throws {
        try withDisk(disk.content) { (path: String) throws in
            try wipeSignatures(File(path, .write))
            #expect(try probeContent(path).type == nil)
            #expect(try readFile(path, limit: Disk.byteCount).count == Disk.byteCount)
        }
    }

    @Test func tellsTheGeometryOfAFile() throws {
        try withDisk([UInt8](repeating: 0, count: 12345)) { (path: String) throws in
            let geometry = try DeviceGeometry(of: File(path))
            #expect(geometry.byteCount == 12345)
            #expect(geometry.sectorSize == 512)
            #expect(try !isBlockDevice(path))
        }
        #expect(try !isBlockDevice("/dev/null"))
        let failure = #expect(throws: Failure.self) { try isBlockDevice("/nowhere/disk") }
        #expect(failure?.description == "look at /nowhere/disk: No such file or directory")
        #expect(holder(of: "/nowhere/disk") == "another program or device holds it")
    }
}
