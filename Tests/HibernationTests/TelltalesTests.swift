// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Linux
import MemoryImage
import Testing

@testable import Hibernation

@Suite struct TelltalesTests {
    /// Pages in swap space belong to the session.
    @Test func looksAtAllOfASwapSpaceThatIsUsed() {
        #expect(swapTelltales(isUsed: false, byteCount: 1 << 40) == [Telltales(ranges: [0..<4096])])
        #expect(swapTelltales(isUsed: true, byteCount: 1 << 30).first?.ranges == [0..<1 << 30])
        #expect(swapTelltales(isUsed: true, byteCount: 4096) == [Telltales(ranges: [0..<4096])])
    }

    /// The beginning of each cluster in which a system fills it; of a larger one, that of each second, fourth, ….
    @Test(
        arguments: [(6 << 30, 2 << 20), (32 << 30, 2 << 20), (64 << 30, 4 << 20), (500 << 30, 32 << 20)]
            as [(UInt64, UInt64)])
    func looksAtTheClustersOfALargeSwapSpace(byteCount: UInt64, step: UInt64) {
        // Its end is nowhere in particular.
        let size = byteCount - 3 * 4096
        let choices = swapTelltales(isUsed: true, byteCount: size)
        for (number, choice) in choices.enumerated() {
            let step = step << UInt64(number)
            #expect(choice.ranges.count == Int((size + step - 1) / step) && choice.ranges.count <= 1 << 14)
            #expect(choice.ranges.allSatisfy { $0.lowerBound % step == 0 && $0.upperBound <= size })
            #expect(choice.ranges.allSatisfy { $0.byteCount == 64 << 10 || $0.upperBound == size })
        }
        #expect(choices.count > 4)
    }

    @Test func watchesNoUnknownFileSystem() throws {
        let disk = DiskImage(64 << 20)
        for type in ["ntfs3", "fuseblk", "bcachefs", "jfs", "udf", "hfsplus", "gpt partition table"] {
            // A mount that is read-only here is no promise for others.
            #expect(try telltales(type, isDeviceReadOnly: false, disk.reader) == nil)
            #expect(try telltales(type, isDeviceReadOnly: true, disk.reader)?.ranges == [Telltales.beginning])
        }
        for type in ["squashfs", "erofs", "iso9660", "cramfs", "romfs"] {
            #expect(try telltales(type, isDeviceReadOnly: false, disk.reader)?.ranges == [Telltales.beginning])
        }
        for type in ["ext2", "ext3", "ext4"] {
            #expect(try telltales(type, isDeviceReadOnly: false, disk.reader)?.ranges == [0..<4096])
        }
        #expect(try telltales("jbd", isDeviceReadOnly: false, disk.reader)?.ranges == [0..<131_072])
        #expect(try telltales("btrfs", isDeviceReadOnly: false, disk.reader)?.ranges == [65536..<69632])
    }

    /// Four labels, without the boot loader's places in front of each.
    @Test func findsTheLabelsOfAMemberOfAZFS() throws {
        let kibi: UInt64 = 1024
        func ranges(_ byteCount: UInt64) throws -> [DeviceRange]? {
            try telltales("zfs_member", isDeviceReadOnly: false, DiskImage(byteCount).reader)?.ranges
        }
        #expect(
            try ranges(64 << 20 + 5 * 4096) == [
                16 * kibi..<256 * kibi, 272 * kibi..<512 * kibi, 65040 * kibi..<65280 * kibi,
                65296 * kibi..<65536 * kibi,
            ])
        #expect(try ranges(600 * kibi)?.count == 2)
    }

    /// GRUB writes into the blocks of its environment at each start, and into the space in front of a Btrfs: that is no use.
    @Test(
        arguments: [
            ("ext4", "/sbin/mkfs.ext4 -q -F -b 1024 -d FOLDER"), ("ext4", "/sbin/mkfs.ext4 -q -F -d FOLDER"),
            ("ext2", "/sbin/mkfs.ext2 -q -F -b 1024 -d FOLDER"), ("xfs", "/sbin/mkfs.xfs -q -f -p FOLDER.proto"),
            ("btrfs", "/sbin/mkfs.btrfs -q --rootdir FOLDER"),
        ])
    func leavesOutBlocksThatABootLoaderWrites(type: String, command: String) throws {
        let tool = String(command.split(separator: " ")[0])
        guard exists(tool) else { return }
        let folder = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let prototype = URL(filePath: folder.path + ".proto")
        defer {
            try? FileManager.default.removeItem(at: folder)
            try? FileManager.default.removeItem(at: prototype)
        }
        let mark = Array("# GRUB Environment Block\n".utf8)
        // Large enough that Btrfs does not keep it in its tree.
        let content = mark + [UInt8](repeating: UInt8(ascii: "#"), count: 8192 - mark.count)
        let file = folder.appending(path: "grubenv")
        try Data(content).write(to: file)
        try "/stand/none\n0 0\nd--755 0 0\ngrubenv ---644 0 0 \(file.path)\n$\n".write(
            to: prototype, atomically: false, encoding: .utf8)
        try withFileSystem(command.replacing("FOLDER", with: folder.path)) { (reader: FileSystemReader) throws in
            var found: [UInt64] = []
            for start in stride(from: UInt64(0), to: reader.byteCount, by: 1 << 20) {
                let bytes = try reader.bytes(at: start, count: 1 << 20)
                for offset in stride(from: 0, to: bytes.count, by: 512)
                where bytes[offset..<offset + mark.count].elementsEqual(mark) {
                    found.append(start + UInt64(offset))
                }
            }
            let place = try #require(found.first)
            let ranges = try #require(try telltales(type, isDeviceReadOnly: false, reader)).ranges
                .wholePages(in: 0..<reader.byteCount)
            for place in found { #expect(!overlaps(ranges, place..<place + 1024), "\(place)") }
            #expect(type == "btrfs" || place < 32 << 20)
            if type == "btrfs" {
                #expect(!overlaps(ranges, 0..<65536) && !overlaps(ranges, 69632..<1 << 20))
            } else {
                #expect(contains(ranges, 0..<4096))
            }
        }
    }

    @Test func joinsRangesToWholePages() {
        let ranges: [DeviceRange] = [5000..<5001, 0..<1, 4096..<8192, 20_000..<30_000, 90_000..<100_000, 7..<7]
        #expect(ranges.wholePages(in: 0..<28_000) == [0..<8192, 16384..<28_000])
        #expect([UInt64.max - 1..<UInt64.max].wholePages(in: 0..<UInt64.max) == [UInt64.max - 4095..<UInt64.max])
        #expect([DeviceRange]().wholePages(in: 0..<1).isEmpty)
    }
}
