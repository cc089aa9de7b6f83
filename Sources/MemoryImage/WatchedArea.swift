// SPDX-License-Identifier: Apache-2.0
import Basics

/// A part of a block device that is written whenever the file system or swap space there is used: where its contents
/// differ from what they were when kernel A was frozen, somebody else has used it since.
///
/// Images of a torpor up to 0.1 have these; `WatchedDevice` has taken their place.
public struct WatchedArea: Equatable, Sendable {
    /// What lies there, for messages: `the ext4 on /srv`.
    public var user: String
    /// The device, by a name that means the same one in kernels A, B and C: `PARTUUID=…`, `UUID=…` or a path.
    public var device: String
    /// Bytes in the device.
    public var deviceByteCount: UInt64
    /// The area, in bytes from the device's beginning.
    public var bytes: DeviceRange
    /// The XXH64 of what it held when kernel A was frozen; 0 until kernel B has read it.
    public var checksum: UInt64

    public init(
        user: String, device: String, deviceByteCount: UInt64, bytes: DeviceRange, checksum: UInt64 = 0
    ) {
        self.user = user
        self.device = device
        self.deviceByteCount = deviceByteCount
        self.bytes = bytes
        self.checksum = checksum
    }

    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        for number in [deviceByteCount, self.bytes.lowerBound, self.bytes.upperBound, checksum] {
            bytes.append(littleEndian: number)
        }
        for text in [user, device] {
            bytes.append(littleEndian: UInt32(text.utf8.count))
            bytes += text.utf8
        }
        return bytes
    }

    /// The area in a field of a description.
    /// - Throws: where the area does not lie in the device, or is larger than anybody reads.
    init(decoding value: [UInt8]) throws(Failure) {
        let fields = value.span.bytes
        deviceByteCount = try fields.integer(at: 0)
        let start: UInt64 = try fields.integer(at: 8), end: UInt64 = try fields.integer(at: 16)
        checksum = try fields.integer(at: 24)
        guard start <= end, end <= deviceByteCount, end - start <= WatchedArea.maximumByteCount else {
            throw Failure("read", "the image's description", "its watched areas are malformed")
        }
        bytes = start..<end
        let userSize = Int(try fields.integer(at: 32, as: UInt32.self))
        user = String(decoding: try fields.copy(at: 36, count: userSize), as: UTF8.self)
        let deviceSize = Int(try fields.integer(at: 36 + userSize, as: UInt32.self))
        device = String(decoding: try fields.copy(at: 40 + userSize, count: deviceSize), as: UTF8.self)
    }

    /// Bytes of an area at most.
    public static let maximumByteCount: UInt64 = 8 << 20
}
