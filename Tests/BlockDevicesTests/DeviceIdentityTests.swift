// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockStore
import Foundation
import Linux
import Testing

@testable import BlockDevices

@Suite struct DeviceIdentityTests {
    /// A catalog of devices with these contents; the number of a device is its place in the list.
    private func catalog(
        _ devices: [(path: String, content: (inout BlockDeviceContent) -> Void, hardware: String?, isVirtual: Bool)]
    ) throws -> DeviceCatalog {
        let entries = devices.enumerated().map { number, device in
            DeviceCatalog.Entry(
                path: device.path, device: DeviceNumber(major: 8, minor: UInt32(number)), byteCount: 1 << 20,
                isVirtual: device.isVirtual)
        }
        let catalog = DeviceCatalog(seconds: 20, willProbe: { _ in }) { () throws(Failure) in
            entries
        } ask: { (path) throws(Failure) in
            var answer = DeviceAnswer()
            for device in devices where device.path == path {
                device.content(&answer.content)
                answer.hardware = device.hardware
            }
            return answer
        }
        try catalog.refresh()
        return catalog
    }

    private func identity(_ catalog: DeviceCatalog, _ number: UInt32) -> String? {
        catalog.identity(of: DeviceNumber(major: 8, minor: number))?.description
    }

    /// The members of a Btrfs on whole disks have one UUID, and each a UUID of its own.
    @Test func distinguishesTheDisksOfABtrfs() throws {
        let catalog = try catalog([
            ("/dev/vda", { ($0.uuid, $0.subUUID) = ("u", "one") }, nil, false),
            ("/dev/vdb", { ($0.uuid, $0.subUUID) = ("u", "two") }, nil, false),
        ])
        #expect(identity(catalog, 0) == "UUID=u UUID_SUB=one")
        #expect(identity(catalog, 1) == "UUID=u UUID_SUB=two")
        #expect(catalog.entries(DeviceIdentity("UUID=u UUID_SUB=two")).map { $0.path } == ["/dev/vdb"])
        // As an image of version 1 names them.
        #expect(catalog.entries(DeviceIdentity("UUID=u")).map { $0.path } == ["/dev/vda", "/dev/vdb"])
    }

    @Test func prefersUniqueIdentifiers() throws {
        let catalog = try catalog([
            ("/dev/sda1", { ($0.partitionUUID, $0.uuid) = ("P1", "a") }, nil, false),
            // Cloned partition tables, other contents.
            ("/dev/sdb1", { ($0.partitionUUID, $0.uuid) = ("p2", "b") }, nil, false),
            ("/dev/sdc1", { ($0.partitionUUID, $0.uuid) = ("P2", "c") }, nil, false),
            // Clones altogether.
            ("/dev/sdd1", { ($0.partitionUUID, $0.uuid) = ("p3", "d") }, nil, false),
            ("/dev/sde1", { ($0.partitionUUID, $0.uuid) = ("p3", "d") }, nil, false),
            // Whole disks without any UUID, with and without a name of their own.
            ("/dev/sdf", { _ in }, "wwid:naa.5", false), ("/dev/sdg", { _ in }, nil, false),
            // What lies on the first one is no other device.
            ("/dev/dm-0", { ($0.partitionUUID, $0.uuid) = ("P1", "a") }, nil, true),
        ])
        #expect(
            (0..<7).map { identity(catalog, $0) } == [
                "PARTUUID=p1", "UUID=b", "UUID=c", "PARTUUID=p3", "PARTUUID=p3", "ID=wwid:naa.5", "/dev/sdg",
            ])
        func paths(_ text: String) -> [String] { catalog.entries(DeviceIdentity(text)).map { $0.path } }
        #expect(paths("PARTUUID=P3") == ["/dev/sdd1", "/dev/sde1"])
        #expect(paths("PARTUUID=p1") == ["/dev/sda1"])
        #expect(paths("ID=wwid:naa.5") == ["/dev/sdf"])
        #expect(paths("/dev/sdg") == ["/dev/sdg"])
        #expect(paths("UUID=B") == ["/dev/sdb1"])
        #expect(paths("UUID=x").isEmpty)
    }

    /// Partitions that share everything are told apart by the disks that they are on.
    @Test func distinguishesClonesByTheirDisks() throws {
        let clone: (inout BlockDeviceContent) -> Void = { ($0.partitionUUID, $0.uuid) = ("p3", "d") }
        let catalog = try catalog([
            ("/dev/sdd1", clone, "wwid:naa.1 PART=1", false), ("/dev/sde1", clone, "wwid:naa.2 PART=1", false),
            // Neither has a name at all.
            ("/dev/sdf1", { _ in }, "wwid:naa.3 PART=1", false), ("/dev/sdf2", { _ in }, "wwid:naa.3 PART=2", false),
        ])
        #expect(
            (0..<4).map { identity(catalog, $0) } == [
                "ID=wwid:naa.1 PART=1", "ID=wwid:naa.2 PART=1", "ID=wwid:naa.3 PART=1", "ID=wwid:naa.3 PART=2",
            ])
        #expect(catalog.entries(DeviceIdentity("ID=wwid:naa.2 PART=1")).map { $0.path } == ["/dev/sde1"])
        #expect(DeviceIdentity("/dev/sda1").isPath && !DeviceIdentity("PARTUUID=p3").isPath)
    }

    @Test func readsTheIdentityOfADisk() throws {
        let root = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: root) }
        func write(_ text: String, _ path: String) throws {
            let file = root.appending(path: "dev/block/\(path)")
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try text.write(to: file, atomically: false, encoding: .utf8)
        }
        try write("eui.01\n", "259:0/wwid")
        try write("naa.5 \n", "8:0/device/wwid")
        try write("disk1", "254:0/serial")
        try write("\n", "254:16/serial")
        try write("0123\n", "179:0/device/cid")
        try write("1\n", "8:1/partition")
        try write("naa.5\n", "8:1/device/wwid")
        func identity(_ text: String) throws -> String? {
            hardwareIdentity(try #require(DeviceNumber(text)), sysfs: root.path)
        }
        #expect(try identity("259:0") == "wwid:eui.01")
        #expect(try identity("8:0") == "wwid:naa.5")
        #expect(try identity("254:0") == "serial:disk1")
        #expect(try identity("254:16") == nil)
        #expect(try identity("179:0") == "cid:0123")
        try write("naa.7\n", "../devices/sdb/device/wwid")
        try write("2\n", "../devices/sdb/sdb2/partition")
        try FileManager.default.createSymbolicLink(
            atPath: root.appending(path: "dev/block/8:18").path, withDestinationPath: "../../dev/devices/sdb/sdb2")
        #expect(try identity("8:18") == "wwid:naa.7 PART=2")
        #expect(try identity("9:9") == nil)
    }
}
