// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Testing

@testable import MemoryImage

/// What both readers find, compared.
extension SecondReaderTests {
    /// Expects that both readers find the same superblock on a partition and, if there is an image, the same description and
    /// the same pages, or that both refuse the image.
    @discardableResult
    func expectSame(_ file: PartitionFile) throws -> SecondReader.Shown {
        let partition = try HibernationPartition(file.path)
        let shown = try SecondReader.show(file)
        expectSame(shown, partition.superblock)
        if [.empty, .saving, .failed].contains(partition.superblock.state) {
            #expect(shown.description == nil)
            try expectRefused(file, "no image")
        } else {
            expectSame(try #require(shown.description), try ImageReader(partition).description)
            let runs = try runs(file)
            #expect(try SecondReader.runs(file) == runs)
        }
        return shown
    }

    /// Expects both readers to refuse an image.
    func expectRefused(_ file: PartitionFile, _ name: String) throws {
        #expect(throws: Failure.self, "\(name)") { try ImageReader(HibernationPartition(file.path)).verify() }
        #expect(try SecondReader.refusal(file) != nil, "\(name)")
    }

    /// The runs of an image as the reader in Swift finds them, by physical address, after it has verified all of it.
    func runs(_ file: PartitionFile) throws -> [SecondReader.Run] {
        let bytes = try file.bytes
        let reader = try ImageReader(HibernationPartition(file.path))
        try reader.verify()
        let pages = try ImageReader(HibernationPartition(file.path)).collect()
        let runs = try reader.entries().flatMap { try header(of: $0, bytes).runs }
        return runs.sorted { $0.firstFrame < $1.firstFrame }.map { run in
            let sum = xxh64((run.firstFrame..<run.firstFrame + UInt64(run.count)).flatMap { pages[$0] ?? [] })
            return SecondReader.Run(
                firstFrame: run.firstFrame, pages: run.count, kind: "\(run.kind)",
                xxh64: run.kind == .data ? hexadecimal(sum, digits: 16) : nil)
        }
    }

    /// The header of a chunk on a partition with these bytes.
    func header(of entry: ChunkIndex.Entry, _ bytes: [UInt8]) throws -> ChunkHeader {
        try bytes.withUnsafeBytes { bytes in
            let chunk = bytes[Int(entry.offset)..<Int(entry.offset) + Int(entry.byteCount)]
            return try ChunkHeader(decoding: UnsafeRawBufferPointer(rebasing: chunk))
        }
    }

    func expectSame(_ shown: SecondReader.Shown, _ superblock: Superblock) {
        let found = shown.superblock, counts = shown.counts
        #expect(found.version == superblock.version && found.generation == superblock.generation)
        #expect(found.uuid == superblock.uuid.description && found.label == superblock.label)
        #expect(found.byteCount == superblock.deviceByteCount && found.time == superblock.time)
        #expect(found.state == "\(superblock.state)" && found.reason == superblock.reason)
        #expect(found.refusals == superblock.refusals && found.isGivenUp == superblock.isGivenUp)
        #expect(found.imageUUID == superblock.imageUUID.description && found.features == superblock.features.rawValue)
        #expect(superblock.codec.description.hasPrefix(found.codec) && found.level == superblock.codec.level)
        #expect(found.contentsEnd == superblock.recordedContentsEnd)
        for (found, extent) in [
            (found.description, superblock.descriptionExtent), (found.index, superblock.indexExtent),
        ] { #expect(found == .init(offset: extent.offset, size: extent.byteCount)) }
        #expect(counts.chunks == superblock.counts.chunks && counts.storedPages == superblock.counts.dataPages)
        #expect(counts.otherPages == superblock.counts.zeroPages)
        #expect(counts.freePages == (superblock.version == 1 ? nil : superblock.counts.freePages))
        #expect(counts.imageEnd == superblock.counts.storedBytes)
        #expect(counts.milliseconds == superblock.counts.milliseconds)
    }

    /// The reader in Swift has an empty value for a field that is not there.
    private func expectSame(_ found: SecondReader.Description, _ description: ImageDescription) {
        #expect(found.session ?? Basics.UUID.zero.description == description.session.description)
        #expect(found.host ?? "" == description.host && found.writer ?? "" == description.writer)
        #expect(found.kernelRelease ?? "" == description.kernelRelease)
        #expect(found.vmcoreInfo ?? "" == String(decoding: description.vmcoreInfo, as: UTF8.self))
        #expect(found.jumpBackEntry ?? 0 == description.jumpBackEntry)
        #expect(found.hasFiveLevelPaging ?? false == description.machine.hasFiveLevelPaging)
        #expect(found.processorCount ?? 0 == UInt64(description.machine.processorCount))
        #expect(found.processorFeatures ?? [] == description.machine.processorFeatures)
        #expect(found.acpiChecksum ?? 0 == description.machine.acpiChecksum)
        #expect(found.microcodeRevision ?? 0 == description.machine.microcodeRevision)
        #expect(found.backupRanges ?? [] == description.backupRanges.map { [$0.lowerBound, $0.upperBound] })
        #expect(found.memoryRanges ?? [] == description.memoryRanges.map { [$0.lowerBound, $0.upperBound] })
        #expect(
            found.pluggedRanges ?? [] == description.machine.hotPluggedRanges.map { [$0.lowerBound, $0.upperBound] })
        #expect(found.backupSources ?? [] == description.backupSources)
        #expect(found.reportAddress ?? 0 == description.reportAddress)
        #expect(found.reportKey ?? "" == description.reportKey.map { hexadecimal(UInt64($0), digits: 2) }.joined())
        #expect(found.partition?.uuid ?? Basics.UUID.zero.description == description.partitionUUID.description)
        #expect(found.partition?.generation ?? 0 == description.partitionGeneration)
        let firmware = description.machine.firmwareMap.map {
            SecondReader.Description.Firmware(
                first: $0.addresses.lowerBound, end: $0.addresses.upperBound, type: $0.type)
        }
        #expect(found.firmwareMap ?? [] == firmware)
        let areas = description.watchedAreas.map {
            SecondReader.Description.Area(
                user: $0.user, device: $0.device, deviceByteCount: $0.deviceByteCount, first: $0.bytes.lowerBound,
                end: $0.bytes.upperBound, checksum: $0.checksum)
        }
        #expect(found.watchedAreas ?? [] == areas)
        let devices = description.watchedDevices.map { device in
            SecondReader.Description.Device(
                user: device.user, identity: device.identity, deviceByteCount: device.byteCount,
                walk: device.walk.rawValue,
                fingerprints: device.fingerprints.map { .init(deviceByteCount: $0.byteCount, checksum: $0.checksum) },
                extents: device.extents.map { [$0.lowerBound, $0.upperBound] })
        }
        #expect(found.watchedDevices ?? [] == devices)
    }
}
