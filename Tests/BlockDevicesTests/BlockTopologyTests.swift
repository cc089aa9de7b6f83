// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Linux
import Testing

@testable import BlockDevices

@Suite struct BlockTopologyTests {
    /// A device may begin in memory or in a file, and go on on a disk.
    @Test func looksAtAllPartsOfADevice() throws {
        func part(_ range: DeviceRange, _ layout: DevicePart.Layout) -> DevicePart {
            DevicePart(bytes: range, layout)
        }
        let dm = DeviceNumber(major: 254, minor: 0), loop = DeviceNumber(major: 7, minor: 0)
        let disk = DeviceNumber(major: 8, minor: 1)
        func isOnDisk(_ parts: [DevicePart]) throws -> Bool {
            try BlockTopology([dm: .parts(parts), loop: .none, disk: .disk(1 << 30)]).isOnDisk(dm)
        }
        let head = part(0..<8192, .copies([DevicePlace(device: loop, offset: 0)]))
        #expect(try !isOnDisk([head]))
        #expect(try isOnDisk([head, part(8192..<16384, .copies([DevicePlace(device: disk, offset: 0)]))]))
        #expect(
            try isOnDisk([
                part(0..<8192, .rows(chunk: 4096, chunks: 1, copies: 1, [DevicePlace(device: disk, offset: 0)]))
            ]))
        #expect(try isOnDisk([head, part(8192..<16384, .hidden("it is scattered"))]))
        #expect(try !isOnDisk([head, part(8192..<8192, .hidden("it is scattered"))]))
        // Even a table that is a circle is followed to its end.
        #expect(try !isOnDisk([part(0..<8192, .copies([DevicePlace(device: dm, offset: 0)]))]))
    }

    @Test func readsDeviceAttributesFromSysfs() throws {
        let root = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: root) }
        func write(_ text: String, _ path: String) throws {
            let file = root.appending(path: path)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try text.write(to: file, atomically: false, encoding: .utf8)
        }
        try write("host-managed\n", "devices/sda/queue/zoned")
        try write("1\n", "devices/sda/ro")
        try write("1\n", "devices/sda/sda1/partition")
        try write("0\n", "devices/sda/sda1/ro")
        try write("none\n", "devices/sdb/queue/zoned")
        try FileManager.default.createDirectory(
            at: root.appending(path: "dev/block"), withIntermediateDirectories: true)
        for (number, target) in [("8:0", "sda"), ("8:1", "sda/sda1"), ("8:16", "sdb")] {
            try FileManager.default.createSymbolicLink(
                atPath: root.appending(path: "dev/block/\(number)").path, withDestinationPath: "../../devices/\(target)"
            )
        }
        func number(_ text: String) throws -> DeviceNumber { try #require(DeviceNumber(text)) }
        #expect(
            try ["8:0", "8:1", "8:16", "8:17"].map { isZoned(try number($0), sysfs: root.path) } == [
                true, true, false, false,
            ])
        #expect(
            try ["8:0", "8:1", "8:16"].map { isReadOnly(try number($0), sysfs: root.path) } == [true, false, false])
    }
}
