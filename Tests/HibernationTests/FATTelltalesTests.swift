// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Linux
import MemoryImage
import Testing

@testable import Hibernation

@Suite struct FATTelltalesTests {
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
}
