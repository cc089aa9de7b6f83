// SPDX-License-Identifier: Apache-2.0
import Basics

/// Places on a block device that are written whenever the file system or swap space there is used: if their contents differ
/// from what they were when kernel A was frozen, somebody else has used it since.
public struct WatchedDevice: Equatable, Sendable {
    /// What a device held: one of those that `identity` means.
    public struct Fingerprint: Equatable, Sendable {
        /// Bytes in the device.
        public var byteCount: UInt64
        /// Of the extents, in their order; see `docs/image-format.md`.
        public var checksum: UInt64

        public init(byteCount: UInt64, checksum: UInt64) {
            self.byteCount = byteCount
            self.checksum = checksum
        }
    }

    /// What kernel B finds for itself, because it changes as long as kernel A runs.
    public enum Walk: UInt32, Sendable {
        case none = 0
        /// The places of a FAT, exFAT or F2FS that the device holds from its beginning on.
        case places = 1
    }

    /// What lies there, for messages: `the ext4 on /srv`.
    public var user: String
    /// A name that means the same device in kernels A, B and C, as `DeviceIdentity` writes it. Of cloned disks it means all.
    public var identity: String
    /// Bytes in the device as kernel A sees it.
    public var byteCount: UInt64
    public var walk = Walk.none
    /// The places, in bytes from the device's beginning, ascending and disjoint.
    public var extents: [DeviceRange]
    /// One for each device that `identity` means, when kernel A was frozen; none until kernel B has read them.
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

    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(littleEndian: byteCount)
        bytes.append(littleEndian: walk.rawValue)
        for text in [user, identity] {
            bytes.append(littleEndian: UInt32(text.utf8.count))
            bytes += text.utf8
        }
        bytes.append(littleEndian: UInt32(fingerprints.count))
        for fingerprint in fingerprints {
            bytes.append(littleEndian: fingerprint.byteCount)
            bytes.append(littleEndian: fingerprint.checksum)
        }
        bytes.append(littleEndian: UInt32(extents.count))
        for extent in extents {
            bytes.append(littleEndian: extent.lowerBound)
            bytes.append(littleEndian: extent.upperBound)
        }
        return bytes
    }

    /// The device in a field of a description.
    /// - Throws: if the extents do not lie in the device, or are more or larger than anybody reads.
    init(decoding value: [UInt8]) throws(Failure) {
        let fields = value.span.bytes
        var offset = 12
        func text() throws(Failure) -> String {
            let count = Int(try fields.integer(at: offset, as: UInt32.self))
            let bytes = try fields.copy(at: offset + 4, count: count)
            offset += 4 + count
            return String(decoding: bytes, as: UTF8.self)
        }
        func pairs() throws(Failure) -> [(UInt64, UInt64)] {
            let count = Int(try fields.integer(at: offset, as: UInt32.self))
            guard count <= (value.count - offset) / 16 else { throw WatchedDevice.malformed }
            var pairs: [(UInt64, UInt64)] = []
            pairs.reserveCapacity(count)
            for i in 0..<count {
                pairs.append(
                    (try fields.integer(at: offset + 4 + i * 16), try fields.integer(at: offset + 12 + i * 16)))
            }
            offset += 4 + count * 16
            return pairs
        }
        byteCount = try fields.integer(at: 0)
        guard let walk = Walk(rawValue: try fields.integer(at: 8)) else { throw WatchedDevice.malformed }
        self.walk = walk
        user = try text()
        identity = try text()
        fingerprints = try pairs().map { Fingerprint(byteCount: $0.0, checksum: $0.1) }
        extents = []
        var previous: UInt64 = 0, sum: UInt64 = 0
        let bounds = try pairs()
        guard bounds.count <= WatchedDevice.maximumExtents else { throw WatchedDevice.malformed }
        for (start, end) in bounds {
            guard start >= previous, start < end, end <= byteCount else { throw WatchedDevice.malformed }
            sum += end - start
            guard sum <= WatchedDevice.maximumByteCount else { throw WatchedDevice.malformed }
            extents.append(start..<end)
            previous = end
        }
    }

    /// An area of an earlier image: one range, with a checksum that all devices with the name have.
    public init(_ area: WatchedArea) {
        user = area.user
        identity = area.device
        byteCount = area.deviceByteCount
        extents = area.bytes.isEmpty ? [] : [area.bytes]
        fingerprints = [Fingerprint(byteCount: area.deviceByteCount, checksum: area.checksum)]
    }

    private static let malformed = Failure("read", "the image's description", "its watched devices are malformed")
}

extension Array where Element == DeviceRange {
    /// The ranges as far as they lie in `bounds`, each made larger to whole pages, ascending and disjoint; those that touch
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
