// SPDX-License-Identifier: Apache-2.0
import Basics

/// Extents of a block device that every use of the file system or swap space there changes. If their contents differ from
/// what they were when kernel A was frozen, somebody else has used it since.
public struct WatchedDevice: Equatable, Sendable {
    /// The contents of a device: of one among those with the identity.
    public struct Fingerprint: Equatable, Sendable {
        /// Bytes in the device.
        public var byteCount: UInt64
        /// The checksum of the extents, in their order; see `docs/image-format.md`.
        public var checksum: UInt64

        public init(byteCount: UInt64, checksum: UInt64) {
            self.byteCount = byteCount
            self.checksum = checksum
        }
    }

    /// Extents that kernel B has to look for, because they change as long as kernel A runs.
    public enum Walk: UInt32, Sendable {
        case none = 0
        /// Those of a FAT, exFAT or F2FS that begins where the device begins.
        case places = 1
    }

    /// The file system or swap space, for messages: `the ext4 on /srv`.
    public var user: String
    /// A name that means the same device in kernels A, B and C, as `DeviceIdentity` writes it. Cloned disks share it.
    public var identity: String
    /// Bytes in the device as kernel A sees it.
    public var byteCount: UInt64
    public var walk = Walk.none
    /// In bytes from the beginning of the device, ascending and disjoint.
    public var extents: [DeviceRange]
    /// One for each device with the identity, of the time when kernel A was frozen; none until kernel B has read them.
    public var fingerprints: [Fingerprint]

    public init(
        user: String, identity: String, byteCount: UInt64, extents: [DeviceRange], walk: Walk = .none,
        fingerprints: [Fingerprint] = []
    ) {
        self.user = user
        self.identity = identity
        self.byteCount = byteCount
        self.extents = extents
        self.walk = walk
        self.fingerprints = fingerprints
    }

    /// Extents of a device at most.
    public static let maximumExtents = 1 << 15
    /// Bytes of all extents of a device at most: kernels B and C read them all.
    public static let maximumByteCount: UInt64 = 4 << 30

    /// The device in the form in which a description has it.
    private struct Record {
        /// An extent, or a fingerprint.
        struct Pair {
            var first: UInt64 = 0
            var second: UInt64 = 0
        }

        var user = ""
        var identity = ""
        var byteCount: UInt64 = 0
        var walk = Walk.none
        var fingerprints: [Pair] = []
        var extents: [Pair] = []

        mutating func fields<Coder: FieldCoder>(_ coder: inout Coder) throws(Coder.Refusal) {
            try coder.integer(&byteCount, at: 0)
            try coder.value(
                &walk, at: 8, { $0.rawValue }, { Walk(rawValue: $0) }, WatchedDevice.complaint)
            var offset = 12
            try coder.sizedText(&user, at: &offset)
            try coder.sizedText(&identity, at: &offset)
            try Record.pairs(&fingerprints, at: &offset, &coder)
            try Record.pairs(&extents, at: &offset, &coder)
        }

        private static func pairs<Coder: FieldCoder>(
            _ pairs: inout [Pair], at offset: inout Int, _ coder: inout Coder
        ) throws(Coder.Refusal) {
            try coder.list(&pairs, at: &offset, itemByteCount: 16, blank: Pair()) {
                (pair, coder, start) throws(Coder.Refusal) in
                try coder.integer(&pair.first, at: start)
                try coder.integer(&pair.second, at: start + 8)
            }
        }
    }

    /// The value of a field of the description.
    func encoded() -> [UInt8] {
        var record = Record(
            user: user, identity: identity, byteCount: byteCount, walk: walk,
            fingerprints: fingerprints.map { Record.Pair(first: $0.byteCount, second: $0.checksum) },
            extents: extents.map { Record.Pair(first: $0.lowerBound, second: $0.upperBound) })
        var writer = FieldWriter(byteCount: 0)
        record.fields(&writer)
        return writer.bytes
    }

    /// The device in the value of a field of the description.
    /// - Throws: if the extents do not lie in the device, or are more or larger than a reader takes.
    init(decoding value: [UInt8]) throws(Failure) {
        var record = Record()
        var reader = FieldReader(value, of: "the image's description")
        try record.fields(&reader)
        user = record.user
        identity = record.identity
        byteCount = record.byteCount
        walk = record.walk
        fingerprints = record.fingerprints.map { Fingerprint(byteCount: $0.first, checksum: $0.second) }
        extents = []
        guard record.extents.count <= WatchedDevice.maximumExtents else { throw WatchedDevice.malformed }
        var previous: UInt64 = 0, sum: UInt64 = 0
        for (start, end) in record.extents.map({ ($0.first, $0.second) }) {
            guard start >= previous, start < end, end <= byteCount else { throw WatchedDevice.malformed }
            sum += end - start
            guard sum <= WatchedDevice.maximumByteCount else { throw WatchedDevice.malformed }
            extents.append(start..<end)
            previous = end
        }
    }

    /// An area of an earlier image: one extent, whose checksum holds for all devices with the name.
    public init(_ area: WatchedArea) {
        user = area.user
        identity = area.device
        byteCount = area.deviceByteCount
        extents = area.bytes.isEmpty ? [] : [area.bytes]
        fingerprints = [Fingerprint(byteCount: area.deviceByteCount, checksum: area.checksum)]
    }

    private static let complaint = "its watched devices are malformed"
    private static let malformed = Failure("read", "the image's description", complaint)
}

extension Array where Element == DeviceRange {
    /// The parts of the ranges that lie in `bounds`, each enlarged to whole pages, ascending and disjoint. Parts that touch
    /// become one.
    public func wholePages(in bounds: DeviceRange) -> [DeviceRange] {
        var result: [DeviceRange] = []
        let widened = compactMap { range -> DeviceRange? in
            let inside = range.clamped(to: bounds)
            if inside.isEmpty { return nil }
            let (raised, overflow) = inside.upperBound.addingReportingOverflow(pageSize - 1)
            let start = Swift.max(bounds.lowerBound, inside.lowerBound & ~(pageSize - 1))
            return start..<Swift.min(bounds.upperBound, overflow ? bounds.upperBound : raised & ~(pageSize - 1))
        }
        for range in widened.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = result.last, range.lowerBound <= last.upperBound {
                result[result.count - 1] = last.lowerBound..<Swift.max(last.upperBound, range.upperBound)
            } else {
                result.append(range)
            }
        }
        return result
    }
}
