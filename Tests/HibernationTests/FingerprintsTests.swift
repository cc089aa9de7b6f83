// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import MemoryImage
import Testing

@testable import BlockDevices
@testable import Hibernation
@testable import Linux

/// Watched devices that are files: a catalog lists them as if they were block devices.
@Suite struct FingerprintsTests {
    private let folder = FileManager.default.temporaryDirectory.appending(
        path: "torpor-\(Foundation.UUID().uuidString)")
    private let state: ChildState

    init() throws {
        state = try ChildState()
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    private func path(_ name: String) -> String { folder.appending(path: name).path }

    private func write(_ name: String, _ byteCount: Int = 3 << 20) throws {
        try Data((0..<byteCount).map { UInt8(truncatingIfNeeded: $0 / 1000) }).write(to: URL(filePath: path(name)))
    }

    private func change(_ name: String, at offset: UInt64, _ byte: UInt8 = 0xff) throws {
        let handle = try FileHandle(forUpdating: URL(filePath: path(name)))
        try handle.seek(toOffset: offset)
        try handle.write(contentsOf: Data([byte]))
        try handle.close()
    }

    /// All files of the folder as devices with this UUID.
    private func catalog(uuid: String = "u") -> DeviceCatalog {
        let folder = folder.path
        return DeviceCatalog(seconds: 20, isInChild: false, willProbe: { _ in }) { () throws(Failure) in
            var entries: [DeviceCatalog.Entry] = []
            for (number, name) in try listDirectory(folder).enumerated() {
                let size = try DeviceGeometry(of: File("\(folder)/\(name)")).byteCount
                entries.append(
                    DeviceCatalog.Entry(
                        path: "\(folder)/\(name)", device: DeviceNumber(major: 8, minor: UInt32(number)),
                        byteCount: size))
            }
            return entries
        } ask: { _ in
            var answer = DeviceAnswer()
            answer.content.uuid = uuid
            return answer
        }
    }

    private func fingerprints(seconds: Int = 0) -> Fingerprints {
        Fingerprints(catalog: catalog(), seconds: seconds, state: state)
    }

    private func device(
        _ extents: [DeviceRange], count: Int = 1, byteCount: UInt64 = 3 << 20, walk: WatchedDevice.Walk = .none
    ) -> WatchedDevice {
        WatchedDevice(
            user: "the ext4 on /x", identity: "UUID=u", byteCount: byteCount, extents: extents, walk: walk,
            fingerprints: .init(repeating: .init(byteCount: byteCount, checksum: 0), count: count))
    }

    private func refusal(_ devices: [WatchedDevice]) -> Failure? {
        do throws(Failure) {
            try fingerprints().expectUnchanged(devices)
            return nil
        } catch { return error }
    }

    @Test(
        arguments: [
            [0..<3 << 20], [4096..<8192], [512..<1024], [2_000_000..<3 << 20], [4096..<8192, 1 << 20..<3 << 20],
        ]
            as [[DeviceRange]])
    func seesAChangedByte(extents: [DeviceRange]) throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        try write("a")
        let devices = try fingerprints().taken([device(extents)])
        #expect(devices[0].fingerprints.map { $0.checksum } != [0])
        #expect(refusal(devices) == nil)
        // Outside, as far as whole pages are read.
        if extents[0].lowerBound > 4096 { try change("a", at: 0) }
        if extents == [4096..<8192] { try change("a", at: 1 << 20) }
        #expect(refusal(devices) == nil)
        for extent in extents {
            try change("a", at: extent.upperBound - 1)
            let failure = try #require(refusal(devices))
            #expect(failure.description.contains("the ext4 on /x has changed since hibernation (UUID=u)"))
            #expect(failure.isFinal, "no person and no time can mend it")
            let byte = UInt8(truncatingIfNeeded: (extent.upperBound - 1) / 1000)
            try change("a", at: extent.upperBound - 1, byte)
            #expect(refusal(devices) == nil)
        }
    }

    @Test func missesTheDeviceAndSeesAnotherSize() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        try write("a")
        let devices = try fingerprints().taken([device([0..<4096])])
        try write("a", 4 << 20)
        let size = try #require(refusal(devices))
        #expect(
            size.description.contains(
                "its device UUID=u has 4194304 bytes, but had 3145728; attach the disks as they were"))
        #expect(!size.isFinal)
        try FileManager.default.removeItem(atPath: path("a"))
        let missing = try #require(refusal(devices))
        #expect(
            missing.description == "watch the ext4 on /x: its device UUID=u is missing; attach the disks as they were")
        #expect(!missing.isFinal)
        #expect(throws: Failure.self) { try fingerprints().taken([device([0..<4096])]) }
    }

    /// Devices that share their name are compared as a set.
    @Test func comparesDevicesWithOneNameAsASet() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        try write("a")
        try write("b")
        try change("b", at: 10)
        let devices = try fingerprints().taken([device([0..<4096], count: 2)])
        #expect(devices[0].fingerprints.count == 2)
        #expect(Set(devices[0].fingerprints.map { $0.checksum }).count == 2)
        #expect(refusal(devices) == nil)
        // In another order.
        try FileManager.default.moveItem(atPath: path("a"), toPath: path("c"))
        #expect(refusal(devices) == nil)
        // A copy of one of them is no difference, another device with the name is one.
        try FileManager.default.copyItem(atPath: path("b"), toPath: path("d"))
        #expect(refusal(devices) == nil)
        try change("d", at: 20)
        let other = try #require(refusal(devices))
        #expect(other.description.contains("several devices match UUID=u, but their contents differ"))
        #expect(!other.isFinal)
        try FileManager.default.removeItem(atPath: path("d"))
        try change("c", at: 5)
        #expect(refusal(devices)?.description.contains("has changed since hibernation") == true)
        try FileManager.default.removeItem(atPath: path("c"))
        let missing = try #require(refusal(devices))
        #expect(missing.description.contains("only 1 of its 2 devices UUID=u are present"))
    }

    /// Kernel B must not take another device for that of kernel A: kernel C would find the same one, and compare nothing.
    @Test func kernelBRefusesADeviceOfAnotherSize() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        try write("a", 4 << 20)
        var named = device([0..<4096])
        named.identity = path("a")
        for device in [device([0..<4096]), named] {
            let failure = #expect(throws: Failure.self) { try fingerprints().taken([device]) }
            #expect(
                failure?.description.contains("has 4194304 bytes, but had 3145728; attach the disks as they were")
                    == true)
        }
        // Of two, one of each size.
        try write("b")
        var clones = device([0..<4096], count: 2)
        #expect(throws: Failure.self) { try fingerprints().taken([clones]) }
        clones.fingerprints[1].byteCount = 4 << 20
        #expect(throws: Never.self) { try fingerprints().taken([clones]) }
    }

    /// Two disks without names that change places, and clones: a difference is not certain to be a use.
    @Test func keepsTheSessionIfItMayBeAnotherDevice() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        try write("a")
        try write("b")
        try change("b", at: 10)
        var named = device([0..<4096])
        named.identity = path("a")
        let devices = try fingerprints().taken([named])
        try FileManager.default.moveItem(atPath: path("a"), toPath: path("c"))
        try FileManager.default.moveItem(atPath: path("b"), toPath: path("a"))
        try FileManager.default.removeItem(atPath: path("c"))
        let exchanged = try #require(refusal(devices))
        #expect(exchanged.description.contains("has changed since hibernation") && !exchanged.isFinal)
        #expect(exchanged.remedy?.contains("attach the disks as they were") == true)
        // One device had the name, and two have it now, neither as it was.
        let one = try fingerprints().taken([device([0..<4096])])
        try write("b")
        try change("b", at: 11)
        try change("a", at: 12)
        let clones = try #require(refusal(one))
        #expect(clones.description.contains("has changed since hibernation") && !clones.isFinal)
        try FileManager.default.removeItem(atPath: path("b"))
        #expect(refusal(one)?.isFinal == true)
    }

    /// An image of version 1 has areas with one checksum, which all devices with the name have.
    @Test func comparesAnAreaOfAnEarlierImage() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        try write("a")
        let checksum = try fingerprints().taken([device([4096..<1_500_000])])[0].fingerprints[0].checksum
        // As `WatchedArea` was summed up: pieces of 1 MiB, each with the sum of the one before it as its seed.
        let bytes = try readFile(path("a"), limit: 4 << 20)
        let first = bytes[4096..<4096 + 1 << 20].withUnsafeBytes { xxh64($0) }
        #expect(checksum == bytes[4096 + 1 << 20..<1_503_232].withUnsafeBytes { xxh64($0, seed: first) })
        let area = WatchedArea(
            user: "the ext4 on /x", device: "UUID=U", deviceByteCount: 3 << 20, bytes: 4096..<1_500_000,
            checksum: checksum)
        #expect(refusal([WatchedDevice(area)]) == nil)
        try write("b")
        #expect(refusal([WatchedDevice(area)]) == nil)
        try change("b", at: 5000)
        #expect(refusal([WatchedDevice(area)]) != nil)
    }

    /// Another system writes a file on a card: only its time in a folder changes, far behind the beginning.
    @Test func seesAFileThatWasWrittenOnACard() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let disk = DiskImage.exFAT()
        try disk.write(to: path("card"))
        let devices = try fingerprints().taken(
            [device([0..<8 << 20], byteCount: disk.byteCount, walk: .places)])
        #expect(devices[0].walk == .none)
        #expect(refusal(devices) == nil)
        // A file's contents by themselves are nobody's business.
        try change("card", at: (32 << 20) + 18 * 4096)
        #expect(refusal(devices) == nil)
        let time = DiskImage.exFATFolder + 12
        try change("card", at: time)
        #expect(refusal(devices)?.isFinal == true)
        try change("card", at: time, 0)
        // An entry of the table, and a bit of the bitmap.
        for offset in [UInt64(16 << 20) + 4000, UInt64(32 << 20) + 100] {
            try change("card", at: offset)
            #expect(refusal(devices)?.isFinal == true)
            try change("card", at: offset, 0)
            #expect(refusal(devices) == nil)
        }
    }
}
