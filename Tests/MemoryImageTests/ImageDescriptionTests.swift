// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import MemoryImage

@Suite struct ImageDescriptionTests {
    private static func example() -> ImageDescription {
        var description = ImageDescription()
        description.session = PartitionFile.uuid
        description.host = "höst"
        description.kernelRelease = "6.12"
        description.jumpBackEntry = 0x1234_5678
        description.machine.hasFiveLevelPaging = true
        description.machine.processorCount = 4
        description.backupRanges = [0x1000..<0x9f000, 0x10_0000..<0x800_0000]
        description.memoryRanges = description.backupRanges + [0x800_0000..<0x4000_0000]
        description.machine.firmwareMap = [
            .init(addresses: 0..<0x9fc00, type: "System RAM"), .init(addresses: 5..<6, type: ""),
        ]
        description.backupSources = [1, 2, UInt64.max]
        description.vmcoreInfo = Array("A=1\n".utf8)
        description.reportAddress = 0x5000
        description.reportKey = [1, 2, 3]
        description.machine.processorFeatures = [1, 2, UInt64.max]
        description.machine.acpiChecksum = 0x1234
        description.machine.microcodeRevision = 0xf0
        description.partitionUUID = PartitionFile.uuid
        description.partitionGeneration = 9
        description.writer = "0.2.0"
        description.watchedAreas = [
            WatchedArea(
                user: "the ext4 on /", device: "PARTUUID=1", deviceByteCount: 1 << 30, bytes: 512..<1 << 20, checksum: 7
            ),
            WatchedArea(user: "", device: "/dev/sdb", deviceByteCount: 0, bytes: 0..<0),
        ]
        description.watchedDevices = [
            WatchedDevice(
                user: "the exfat on /x", identity: "UUID=1 UUID_SUB=2", byteCount: 1 << 30,
                extents: [512..<1 << 20, 2 << 20..<1 << 30], walk: .places,
                fingerprints: [.init(byteCount: 1 << 30, checksum: 7), .init(byteCount: 5, checksum: .max)]),
            WatchedDevice(user: "", identity: "/dev/sdb", byteCount: 0, extents: []),
        ]
        return description
    }

    @Test func readsWhatItWrites() throws {
        #expect(try ImageDescription(decoding: Self.example().encoded()) == Self.example())
    }

    @Test func passesOverFieldsOfALaterVersion() throws {
        var bytes = Self.example().encoded()
        bytes.append(littleEndian: UInt32(4711))
        bytes.append(littleEndian: UInt32(2))
        #expect(try ImageDescription(decoding: bytes + [1, 2]) == Self.example())
        #expect(throws: Failure.self) { try ImageDescription(decoding: bytes + [1]) }
    }

    /// A field with bit 31 in its tag is one that a reader must not pass over.
    @Test(arguments: [27, 4711, 0x7fff_ffff, 0] as [UInt32]) func refusesAMandatoryFieldOfALaterVersion(number: UInt32)
        throws
    {
        for isMandatory in [false, true] {
            var bytes = Self.example().encoded()
            bytes.append(littleEndian: number | (isMandatory ? 1 << 31 : 0))
            bytes.append(littleEndian: UInt32(2))
            bytes += [1, 2]
            guard isMandatory else {
                #expect(try ImageDescription(decoding: bytes) == Self.example())
                continue
            }
            let failure = #expect(throws: Failure.self) { try ImageDescription(decoding: bytes) }
            #expect(failure?.reason == "it needs a newer torpor: this one does not know its field \(number)")
            #expect(failure?.remedy != nil)
        }
    }

    /// A later version may make a field mandatory that this one knows.
    @Test func readsFieldsThatItKnowsAsMandatory() throws {
        var bytes = ImageDescription.magic
        bytes.append(littleEndian: UInt32(2) | 1 << 31)
        bytes.append(littleEndian: UInt32(4))
        #expect(try ImageDescription(decoding: bytes + Array("host".utf8)).host == "host")
    }

    @Test func theWriterSignsWithItsVersion() throws {
        let file = try PartitionFile()
        try MemoryFixture(pageCount: 5).write(to: file.formatted(), .none)
        #expect(try ImageReader(HibernationPartition(file.path)).description.writer == torporVersion)
        #expect(torporVersion.split(separator: ".").count == 3)
    }

    /// A cut between two fields leaves a description with fewer fields; a cut anywhere else is refused.
    @Test func survivesEveryTruncation() throws {
        let bytes = Self.example().encoded()
        var accepted = 0
        for count in bytes.indices where (try? ImageDescription(decoding: Array(bytes.prefix(count)))) != nil {
            accepted += 1
        }
        #expect(accepted == 22)
    }

    /// Places that are out of order, empty, behind the end, or more than anybody reads.
    @Test(
        arguments: [
            [4096..<8192, 0..<512], [0..<4096, 4000..<8192], [0..<(1 << 40) + 1], [5..<5], [0..<(4 << 30) + 1],
            [0..<2 << 30, 3 << 30..<(5 << 30) + 1], (0...1 << 15).map { UInt64($0) * 2..<UInt64($0) * 2 + 1 },
        ] as [[DeviceRange]])
    func refusesMalformedWatchedDevices(extents: [DeviceRange]) throws {
        var description = ImageDescription()
        description.watchedDevices = [
            WatchedDevice(user: "u", identity: "i", byteCount: 1 << 40, extents: [0..<4096, 8192..<(4 << 30)])
        ]
        #expect(try ImageDescription(decoding: description.encoded()) == description)
        description.watchedDevices[0].extents = extents
        #expect(throws: Failure.self) { try ImageDescription(decoding: description.encoded()) }
    }

    @Test(
        arguments: [
            [0x2000, 0x1000], [0x1001, 0x2000], [0x1000, 0x1000], [0x1000, 0x3000, 0x2000, 0x4000], [0x1000],
        ] as [[UInt64]])
    func refusesMalformedRanges(bounds: [UInt64]) {
        var bytes = Array("TorporID".utf8)
        bytes.append(littleEndian: UInt32(8))
        bytes.append(littleEndian: UInt32(bounds.count * 8))
        for bound in bounds { bytes.append(littleEndian: bound) }
        #expect(throws: Failure.self) { try ImageDescription(decoding: bytes) }
    }
}
