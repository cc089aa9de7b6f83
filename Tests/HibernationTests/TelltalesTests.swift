// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Linux
import MemoryImage
import Testing

@testable import Hibernation

@Suite struct TelltalesTests {
    private func contains(_ ranges: [DeviceRange], _ wanted: DeviceRange) -> Bool {
        ranges.contains { $0.lowerBound <= wanted.lowerBound && $0.upperBound >= wanted.upperBound }
    }

    private func overlaps(_ ranges: [DeviceRange], _ wanted: DeviceRange) -> Bool {
        ranges.contains { $0.overlaps(wanted) }
    }

    // MARK: exFAT

    @Test func findsTableBitmapAndFoldersOfAnExFAT() throws {
        let found = try #require(try telltales("exfat", isDeviceReadOnly: false, DiskImage.exFAT().reader))
        #expect(found.areMoving)
        #expect(contains(found.ranges, 16 << 20..<(16 << 20) + 64 * 512))
        func cluster(_ number: UInt64) -> DeviceRange {
            let start = UInt64(32 << 20) + (number - 2) * 4096
            return start..<start + 4096
        }
        for number in [UInt64(2), 4, 10, 11, 30, 40] { #expect(contains(found.ranges, cluster(number))) }
        for number in [UInt64(3), 12, 20, 21, 31] { #expect(!overlaps(found.ranges, cluster(number))) }
    }

    @Test func refusesAnExFATThatIsMalformed() {
        func expectRefusal(_ change: (DiskImage) -> Void) {
            let disk = DiskImage.exFAT()
            change(disk)
            #expect(throws: Failure.self) { try telltales("exfat", isDeviceReadOnly: false, disk.reader) }
            #expect(disk.reads < 10_000)
        }
        expectRefusal { $0.put([0], at: 3) }
        expectRefusal { $0.put([13], at: 108) }
        expectRefusal { $0.put([17], at: 109) }
        expectRefusal { $0.put([3], at: 110) }
        expectRefusal { $0.put(UInt32.max, at: 84) }
        expectRefusal { $0.put(UInt32.max, at: 88) }
        expectRefusal { $0.put(UInt32.max, at: 92) }
        // The root is no cluster; a folder is in itself, behind the end, and its chain is a circle; so is the bitmap's.
        expectRefusal { $0.put(UInt32(1), at: 96) }
        expectRefusal {
            $0.put(UInt32(4), at: DiskImage.exFATFolder + 32 + 20); $0.put(UInt16(0x10), at: DiskImage.exFATFolder + 4)
        }
        expectRefusal { $0.put(UInt32(5000), at: (32 << 20) + 2 * 4096 + 3 * 32 + 20) }
        expectRefusal { $0.put(UInt32(30), at: (16 << 20) + 30 * 4) }
        expectRefusal { $0.put(UInt32(2), at: (16 << 20) + 2 * 4) }
        expectRefusal { $0.put(UInt64.max, at: (32 << 20) + 2 * 4096 + 3 * 32 + 24) }
    }

    // MARK: FAT

    @Test(arguments: [12, 16, 32])
    func findsTableAndFoldersOfAFAT(bits: Int) throws {
        let disk = DiskImage.fat(bits)
        let found = try #require(try telltales("vfat", isDeviceReadOnly: false, disk.reader))
        #expect(found.areMoving)
        let table: UInt64 = bits == 32 ? 32 * 512 : 512
        #expect(contains(found.ranges, table..<table + DiskImage.fatTableSectors(bits) * 512))
        for number in [UInt64(5), 9, 12, 200] + (bits == 32 ? [3] : []) {
            #expect(found.ranges.contains(DiskImage.fatCluster(bits, number)), "cluster \(number)")
        }
        for number in [UInt64(77), 10, 199] { #expect(!found.ranges.contains(DiskImage.fatCluster(bits, number))) }
        if bits != 32 {
            let root = (1 + 2 * DiskImage.fatTableSectors(bits)) * 512
            #expect(found.ranges.contains(root..<root + 512 * 32))
        }
    }

    @Test func refusesAFATThatIsMalformed() {
        func expectRefusal(_ bits: Int, _ change: (DiskImage) -> Void) {
            let disk = DiskImage.fat(bits)
            change(disk)
            #expect(throws: Failure.self) { try telltales("vfat", isDeviceReadOnly: false, disk.reader) }
        }
        expectRefusal(16) { $0.put(UInt16(513), at: 11) }
        expectRefusal(16) { $0.put([3], at: 13) }
        expectRefusal(16) { $0.put([0], at: 16) }
        expectRefusal(16) { $0.put(UInt32(1 << 30), at: 32) }
        expectRefusal(16) { $0.put(UInt16(0), at: 22) }
        expectRefusal(32) { $0.put(UInt32(80_000), at: 44) }
        expectRefusal(32) { $0.put(UInt32.max, at: 36) }
        // A folder's chain that comes back to it.
        expectRefusal(16) { $0.put(UInt16(9), at: 512 + 12 * 2) }
        expectRefusal(16) { $0.put(UInt16(5), at: DiskImage.fatCluster(16, 12).upperBound - 32 + 26) }
    }

    /// What mkfs and mtools make of it.
    @Test(
        .enabled(if: ["/usr/sbin/mkfs.vfat", "/usr/bin/mmd", "/usr/bin/mcopy"].allSatisfy { exists($0) }),
        arguments: ["-F 12 -s 8", "-F 16", "-F 32"])
    func findsAChangeInARealFAT(options: String) throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        func shell(_ script: String) throws {
            let process = Process()
            process.executableURL = URL(filePath: "/bin/sh")
            process.arguments = ["-ec", "export MTOOLS_SKIP_CHECK=1; \(script)"]
            try process.run()
            process.waitUntilExit()
            #expect(process.terminationStatus == 0)
        }
        let size = options.contains("12") ? 8 : 80
        try shell(
            """
            truncate -s \(size)M \(path); mkfs.vfat \(options) \(path) >/dev/null
            mmd -i \(path) ::a ::a/b ::a/b/c
            head -c 3000000 /dev/zero >\(path).data; mcopy -i \(path) \(path).data ::filler; rm \(path).data
            for i in $(seq 90); do echo x | mcopy -i \(path) - ::a/b/c/a-long-name-of-a-file-$i; done
            """)
        let bytes = UInt64(size << 20)
        func held() throws -> [[UInt8]] {
            let reader = try FileSystemReader(File(path), byteCount: bytes)
            let found = try #require(try telltales("vfat", isDeviceReadOnly: false, reader))
            // The beginning is left out: it is more than these changes need.
            return try found.ranges.dropFirst().map { try reader.bytes(at: $0.lowerBound, count: Int($0.byteCount)) }
        }
        let before = try held()
        #expect(before.count > 4)
        #expect(try held() == before)
        // The same size in the same cluster, at another time.
        try shell(
            """
            echo y >\(path).y; touch -d 2030-01-02 \(path).y
            mcopy -o -m -i \(path) \(path).y ::a/b/c/a-long-name-of-a-file-90; rm \(path).y
            """)
        #expect(try held() != before)
    }

    // MARK: What mkfs makes

    /// A file system made by its own tool: where the places are, its own marks stand.
    private func withFileSystem(_ command: String, _ body: (FileSystemReader) throws -> Void) throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-ec", "truncate -s 400M \(path); \(command) \(path) >/dev/null 2>&1"]
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        let reader = try FileSystemReader(File(path), byteCount: 400 << 20)
        try body(reader)
    }

    @Test(.enabled(if: exists("/usr/sbin/mkfs.exfat")))
    func findsThePlacesOfARealExFAT() throws {
        try withFileSystem("/usr/sbin/mkfs.exfat -b 16M") { (reader: FileSystemReader) throws in
            let found = try #require(try telltales("exfat", isDeviceReadOnly: false, reader))
            // The table begins with the medium's mark; the root with an entry of the bitmap or the label.
            let places = found.ranges.dropFirst()
            let table = try #require(places.first)
            #expect(try reader.bytes(at: table.lowerBound, count: 4) == [0xf8, 0xff, 0xff, 0xff])
            #expect(places.allSatisfy { $0.lowerBound >= 16 << 20 })
            let marks = try places.dropFirst().map { try reader.bytes(at: $0.lowerBound, count: 1)[0] }
            #expect(marks.contains { [0x81, 0x83, 0x03].contains($0) } && places.count >= 3)
        }
    }

    @Test(.enabled(if: exists("/usr/sbin/mkfs.xfs")))
    func findsTheLogOfARealXFS() throws {
        try withFileSystem("/usr/sbin/mkfs.xfs -q") { (reader: FileSystemReader) throws in
            let found = try #require(try telltales("xfs", isDeviceReadOnly: false, reader))
            let log = try #require(found.ranges.last)
            #expect(log.lowerBound > 8 << 20)
            #expect(try reader.bytes(at: log.lowerBound, count: 4) == [0xfe, 0xed, 0xba, 0xbe])
        }
    }

    @Test(.enabled(if: exists("/usr/sbin/mkfs.f2fs")))
    func findsTheCheckpointsOfARealF2FS() throws {
        try withFileSystem("/usr/sbin/mkfs.f2fs -q") { (reader: FileSystemReader) throws in
            let found = try #require(try telltales("f2fs", isDeviceReadOnly: false, reader))
            #expect(found.ranges.count >= 3)
            // A version, and as many blocks as a user may have: at least one of 400 MiB.
            let fields = try reader.bytes(at: found.ranges[1].lowerBound, count: 16)
            let version = try fields.span.bytes.integer(at: 0, as: UInt64.self)
            let blocks = try fields.span.bytes.integer(at: 8, as: UInt64.self)
            #expect(version > 0 && blocks > 1000 && blocks < 102_400)
        }
    }

    // MARK: XFS, F2FS, swap, others

    private static func xfs(blockSize: UInt32, groupBlocks: UInt32, shift: UInt8, log: UInt64, blocks: UInt32)
        -> DiskImage
    {
        let disk = DiskImage(64 << 30)
        disk.put(Array("XFSB".utf8), at: 0)
        disk.put(blockSize.byteSwapped, at: 4)
        disk.put(log.byteSwapped, at: 48)
        disk.put(groupBlocks.byteSwapped, at: 84)
        disk.put(UInt32(4).byteSwapped, at: 88)
        disk.put(blocks.byteSwapped, at: 96)
        disk.put([shift], at: 124)
        return disk
    }

    /// The third group's block 5: groups have 1,000,000 blocks, numbered with 20 bits.
    @Test func findsTheLogOfAnXFS() throws {
        let disk = Self.xfs(blockSize: 4096, groupBlocks: 1_000_000, shift: 20, log: 2 << 20 | 5, blocks: 2560)
        let found = try #require(try telltales("xfs", isDeviceReadOnly: false, disk.reader))
        let start: UInt64 = (2 * 1_000_000 + 5) * 4096
        #expect(found == Telltales(ranges: [0..<4096, start..<start + 2560 * 4096]))
        // One on a device of its own.
        let external = Self.xfs(blockSize: 4096, groupBlocks: 1_000_000, shift: 20, log: 0, blocks: 2560)
        #expect(try telltales("xfs", isDeviceReadOnly: false, external.reader)?.ranges == [0..<4096])
        for malformed in [
            Self.xfs(blockSize: 4096, groupBlocks: 1_000_000, shift: 20, log: 9 << 20, blocks: 2560),
            Self.xfs(blockSize: 4096, groupBlocks: 1_000_000, shift: 20, log: 1_000_001, blocks: 2560),
            Self.xfs(blockSize: 4096, groupBlocks: 1_000_000, shift: 20, log: .max, blocks: 2560),
            Self.xfs(blockSize: 4096, groupBlocks: 1_000_000, shift: 20, log: 5, blocks: .max),
            Self.xfs(blockSize: 4097, groupBlocks: 1_000_000, shift: 20, log: 5, blocks: 2560),
            Self.xfs(blockSize: 4096, groupBlocks: 1 << 21, shift: 20, log: 5, blocks: 2560), DiskImage(1 << 20),
        ] {
            #expect(throws: Failure.self) { try telltales("xfs", isDeviceReadOnly: false, malformed.reader) }
        }
    }

    /// A mount writes 2 MiB of a large log at least: none of them lies between two samples.
    @Test func samplesALargeLog() {
        let log: DeviceRange = 4096..<(2 << 30) + 4096
        let ranges = XFS.logRanges(log)
        let head: DeviceRange = 4096..<67_112_960
        #expect(ranges.first == head)
        #expect(zip(ranges.dropFirst(), ranges.dropFirst(2)).allSatisfy { $1.lowerBound - $0.lowerBound <= 1 << 20 })
        #expect((ranges.last?.upperBound ?? 0) > log.upperBound - 1 << 20)
        #expect(ranges.reduce(0) { $0 + $1.byteCount } <= 192 << 20)
        #expect(XFS.logRanges(0..<1 << 20) == [0..<1 << 20])
    }

    @Test func findsTheCheckpointsOfAnF2FS() throws {
        let disk = DiskImage(64 << 20)
        disk.put(UInt32(0xf2f5_2010), at: 1024)
        disk.put(UInt32(12), at: 1024 + 16)
        disk.put(UInt32(9), at: 1024 + 20)
        disk.put(UInt32(2), at: 1024 + 52)
        disk.put(UInt32(5120), at: 1024 + 76)
        disk.put(UInt32(8192), at: 1024 + 92)
        // The second checkpoint: the next node goes to block 7 of segment 3.
        disk.put(UInt32(3), at: (22 << 20) + 40)
        disk.put(UInt16(7), at: (22 << 20) + 70)
        // The first one names a segment that is not there.
        disk.put(UInt32.max, at: (20 << 20) + 40)
        let found = try #require(try telltales("f2fs", isDeviceReadOnly: false, disk.reader))
        let next: UInt64 = (32 << 20) + (3 * 512 + 7) * 4096
        #expect(found.ranges == [0..<8192, 20 << 20..<24 << 20, next..<next + 256 << 10])
        #expect(found.areMoving)
        #expect(try movingType(disk.reader) == "f2fs")
        #expect(try movingType(DiskImage.exFAT().reader) == "exfat")
        #expect(try movingType(DiskImage.fat(16).reader) == "vfat")
        for (value, offset) in [(UInt32(0), 0), (UInt32(60), 16), (UInt32(60), 20), (UInt32(65), 52), (UInt32.max, 76)]
        {
            let other = DiskImage(64 << 20)
            other.put(try disk.reader.bytes(at: 1024, count: 512), at: 1024)
            other.put(value, at: 1024 + UInt64(offset))
            #expect(throws: Failure.self) { try telltales("f2fs", isDeviceReadOnly: false, other.reader) }
        }
    }

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

    @Test func watchesNothingThatItDoesNotKnow() throws {
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

    // MARK: Boot loaders

    /// GRUB writes into the blocks of its environment at each start, and into the space in front of a Btrfs: that is no use.
    @Test(
        arguments: [
            ("ext4", "/sbin/mkfs.ext4 -q -F -b 1024 -d FOLDER"), ("ext4", "/sbin/mkfs.ext4 -q -F -d FOLDER"),
            ("ext2", "/sbin/mkfs.ext2 -q -F -b 1024 -d FOLDER"), ("xfs", "/sbin/mkfs.xfs -q -f -p FOLDER.proto"),
            ("btrfs", "/sbin/mkfs.btrfs -q --rootdir FOLDER"),
        ])
    func leavesOutWhatABootLoaderWrites(type: String, command: String) throws {
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
