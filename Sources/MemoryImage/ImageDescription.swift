// SPDX-License-Identifier: Apache-2.0
import Basics

/// The session whose memory an image holds, and everything else that its resume needs.
///
/// Kernel A fills in most of it, kernel B the rest (`jumpBackEntry`, `backupSources`, `vmcoreInfo`). The encoding is a list of
/// tagged fields: a reader skips fields that it does not know, unless bit 31 of the tag is set.
public struct ImageDescription: Equatable, Sendable {
    /// Names the hibernation: the parameter `torpor.session=` on kernel B's command line.
    public var session = UUID.zero
    public var host = ""
    public var kernelRelease = ""
    /// The physical address at which kernel A continues.
    public var jumpBackEntry: UInt64 = 0
    /// The machine's properties that must be the same after power-on.
    public var machine = MachineIdentity()
    /// System RAM below N, which kernel A swaps out for kernels B and C: whole pages, ascending.
    public var backupRanges: [PhysicalRange] = []
    /// All System RAM of kernel A: whole pages, ascending.
    public var memoryRanges: [PhysicalRange] = []
    /// The backup page map: for each page of `backupRanges`, in order, the page frame number under which the image has its
    /// contents; empty if it is not known.
    public var backupSources: [UInt64] = []
    /// The VMCOREINFO note of kernel A.
    public var vmcoreInfo: [UInt8] = []
    /// The physical address of the page in kernel A's memory that takes the report; 0 if there is none.
    public var reportAddress: UInt64 = 0
    /// The first bytes of that page.
    public var reportKey: [UInt8] = []
    /// The hibernation partition as kernel A found it: its UUID, and the generation of its superblock.
    public var partitionUUID = UUID.zero
    public var partitionGeneration: UInt64 = 0
    /// Parts of devices that nobody may have used since the save, in images of Torpor 0.1.
    public var watchedAreas: [WatchedArea] = []
    /// Devices that nobody may have used since the save.
    public var watchedDevices: [WatchedDevice] = []

    /// The version of Torpor that wrote the image: `0.2.0`; empty in an image of format version 1.
    public var writer = ""

    /// Limits, because a reader needs time for each of them.
    public static let maximumWatchedAreas = 1024
    public static let maximumWatchedDevices = 1024

    public init() {}

    /// The memory whose pages the image holds: whole pages, ascending.
    public var savedRanges: [PhysicalRange] { memoryRanges.subtracting(backupRanges) }

    private enum Tag: UInt32 {
        case session = 1, host, kernelRelease, jumpBackEntry, hasFiveLevelPaging, processorCount
        case backupRanges, memoryRanges, firmwareMap, backupSources, vmcoreInfo, reportAddress, reportKey
        case processorFeatures, acpiChecksum, watchedArea, partition, writer
        case microcodeRevision = 20
        case hotPluggedRanges = 19
        case watchedDevice = 21
        // Reserved: 22-25 for more about watched devices, 26 for kernel A's command line.

        /// The bit of a tag whose field a reader must not skip.
        static let mandatory: UInt32 = 1 << 31
    }

    static let magic = Array("TorporID".utf8)

    public func encoded() -> [UInt8] {
        var bytes = ImageDescription.magic
        func add(_ tag: Tag, _ value: [UInt8]) {
            bytes.append(littleEndian: tag.rawValue)
            bytes.append(littleEndian: UInt32(value.count))
            bytes += value
        }
        func add(_ tag: Tag, numbers values: [UInt64]) {
            var value: [UInt8] = []
            value.reserveCapacity(values.count * 8)
            for item in values { value.append(littleEndian: item) }
            add(tag, value)
        }
        func add(_ tag: Tag, ranges: [PhysicalRange]) {
            add(tag, numbers: ranges.flatMap { [$0.lowerBound, $0.upperBound] })
        }
        add(.session, session.bytes)
        add(.host, Array(host.utf8))
        add(.kernelRelease, Array(kernelRelease.utf8))
        add(.jumpBackEntry, numbers: [jumpBackEntry])
        add(.hasFiveLevelPaging, numbers: [machine.hasFiveLevelPaging ? 1 : 0])
        add(.processorCount, numbers: [UInt64(machine.processorCount)])
        add(.backupRanges, ranges: backupRanges)
        add(.memoryRanges, ranges: memoryRanges)
        var map = FieldWriter(byteCount: 0), end = 0
        for range in machine.firmwareMap {
            var entry = FirmwareMapEntry(range)
            entry.fields(&map, at: &end)
        }
        add(.firmwareMap, map.bytes)
        add(.backupSources, numbers: backupSources)
        add(.vmcoreInfo, vmcoreInfo)
        add(.reportAddress, numbers: [reportAddress])
        add(.reportKey, reportKey)
        add(.processorFeatures, numbers: machine.processorFeatures)
        add(.acpiChecksum, numbers: [machine.acpiChecksum])
        add(.microcodeRevision, numbers: [machine.microcodeRevision])
        if !machine.hotPluggedRanges.isEmpty { add(.hotPluggedRanges, ranges: machine.hotPluggedRanges) }
        var partition = partitionUUID.bytes
        partition.append(littleEndian: partitionGeneration)
        add(.partition, partition)
        for area in watchedAreas { add(.watchedArea, area.encoded()) }
        for device in watchedDevices { add(.watchedDevice, device.encoded()) }
        if !writer.isEmpty { add(.writer, Array(writer.utf8)) }
        return bytes
    }

    public init(decoding bytes: [UInt8]) throws(Failure) {
        let fields = bytes.span.bytes
        guard try fields.copy(at: 0, count: 8) == ImageDescription.magic else {
            throw Failure("read", "the image's description", "it is not a description")
        }
        var offset = 8
        while offset < bytes.count {
            let tag: UInt32 = try fields.integer(at: offset)
            let count = Int(try fields.integer(at: offset + 4, as: UInt32.self))
            let value = try fields.copy(at: offset + 8, count: count)
            offset += 8 + count
            let number = tag & ~Tag.mandatory
            guard let known = Tag(rawValue: number) else {
                if tag == number { continue }
                throw Failure(
                    "read", "the image's description",
                    "it needs a newer torpor: this one does not know its field \(number)",
                    remedy: "use the torpor that wrote it, or a newer one")
            }
            try take(known, value)
        }
    }

    private mutating func take(_ tag: Tag, _ value: [UInt8]) throws(Failure) {
        func number() throws(Failure) -> UInt64 { try value.span.bytes.integer(at: 0) }
        switch tag {
        case .session:
            guard let uuid = UUID(bytes: value) else { throw ImageDescription.malformed("session") }
            session = uuid
        case .host: host = String(decoding: value, as: UTF8.self)
        case .kernelRelease: kernelRelease = String(decoding: value, as: UTF8.self)
        case .jumpBackEntry: jumpBackEntry = try number()
        case .hasFiveLevelPaging: machine.hasFiveLevelPaging = try number() != 0
        case .processorCount: machine.processorCount = UInt32(truncatingIfNeeded: try number())
        case .backupRanges: backupRanges = try ImageDescription.ranges(value, "backup ranges")
        case .memoryRanges: memoryRanges = try ImageDescription.ranges(value, "memory ranges")
        case .firmwareMap: machine.firmwareMap = try ImageDescription.firmwareRanges(value)
        case .hotPluggedRanges: machine.hotPluggedRanges = try ImageDescription.ranges(value, "plugged memory ranges")
        case .backupSources: backupSources = try ImageDescription.numbers(value)
        case .vmcoreInfo: vmcoreInfo = value
        case .reportAddress: reportAddress = try number()
        case .reportKey: reportKey = value
        case .processorFeatures: machine.processorFeatures = try ImageDescription.numbers(value)
        case .acpiChecksum: machine.acpiChecksum = try number()
        case .microcodeRevision: machine.microcodeRevision = try number()
        case .writer: writer = String(decoding: value, as: UTF8.self)
        case .partition:
            let fields = value.span.bytes
            partitionUUID = UUID(bytes: try fields.copy(at: 0, count: 16)) ?? .zero
            partitionGeneration = try fields.integer(at: 16)
        case .watchedArea:
            guard watchedAreas.count < ImageDescription.maximumWatchedAreas else {
                throw ImageDescription.malformed("watched areas")
            }
            watchedAreas.append(try WatchedArea(decoding: value))
        case .watchedDevice:
            guard watchedDevices.count < ImageDescription.maximumWatchedDevices else {
                throw ImageDescription.malformed("watched devices")
            }
            watchedDevices.append(try WatchedDevice(decoding: value))
        }
    }

    private static func malformed(_ field: String) -> Failure {
        Failure("read", "the image's description", "its \(field) are malformed")
    }

    private static func numbers(_ value: [UInt8]) throws(Failure) -> [UInt64] {
        guard value.count % 8 == 0 else { throw malformed("numbers") }
        let fields = value.span.bytes
        var result: [UInt64] = []
        result.reserveCapacity(value.count / 8)
        for i in 0..<value.count / 8 { result.append(try fields.integer(at: i * 8)) }
        return result
    }

    /// Ranges of whole pages, ascending and disjoint: nobody has to check that again.
    private static func ranges(_ value: [UInt8], _ field: String) throws(Failure) -> [PhysicalRange] {
        let bounds = try numbers(value)
        guard bounds.count % 2 == 0, bounds.count / 2 <= maximumMemoryRanges else { throw malformed(field) }
        var result: [PhysicalRange] = []
        var previous: UInt64 = 0
        for i in 0..<bounds.count / 2 {
            let (start, end) = (bounds[i * 2], bounds[i * 2 + 1])
            guard start < end, start >= previous, start % pageSize == 0, end % pageSize == 0, end <= 1 << 52 else {
                throw malformed(field)
            }
            result.append(start..<end)
            previous = end
        }
        return result
    }

    private static func firmwareRanges(_ value: [UInt8]) throws(Failure) -> [FirmwareRange] {
        var reader = FieldReader(value, of: "the image's description")
        var result: [FirmwareRange] = []
        var offset = 0
        while offset < value.count {
            var entry = FirmwareMapEntry()
            try entry.fields(&reader, at: &offset)
            guard let range = entry.range else { throw malformed("firmware ranges") }
            result.append(range)
        }
        return result
    }
}
