// SPDX-License-Identifier: Apache-2.0
import Basics

/// A part of a block device that every use of the file system or swap space there changes. If its contents differ from what
/// they were when kernel A was frozen, somebody else has used it since.
///
/// Images of Torpor 0.1 have these in the place of `WatchedDevice`.
public struct WatchedArea: Equatable, Sendable {
    /// The file system or swap space, for messages: `the ext4 on /srv`.
    public var user: String
    /// A name that means the same device in kernels A, B and C: `PARTUUID=…`, `UUID=…` or a path.
    public var device: String
    /// Bytes in the device.
    public var deviceByteCount: UInt64
    /// In bytes from the beginning of the device.
    public var bytes: DeviceRange
    /// The XXH64 of its contents when kernel A was frozen; 0 until kernel B has read them.
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

    /// - Parameters:
    ///   - start: the first byte of the area.
    ///   - end: the byte behind its last.
    private mutating func fields<Coder: FieldCoder>(
        _ coder: inout Coder, _ start: inout UInt64, _ end: inout UInt64
    ) throws(Coder.Refusal) {
        try coder.integer(&deviceByteCount, at: 0)
        try coder.integer(&start, at: 8)
        try coder.integer(&end, at: 16)
        try coder.integer(&checksum, at: 24)
        var offset = 32
        try coder.sizedText(&user, at: &offset)
        try coder.sizedText(&device, at: &offset)
    }

    /// The value of a field of the description.
    func encoded() -> [UInt8] {
        var copy = self
        var start = bytes.lowerBound, end = bytes.upperBound
        var writer = FieldWriter(byteCount: 0)
        copy.fields(&writer, &start, &end)
        return writer.bytes
    }

    /// The area in the value of a field of the description.
    /// - Throws: if the area does not lie in the device, or is larger than a reader takes.
    init(decoding value: [UInt8]) throws(Failure) {
        self.init(user: "", device: "", deviceByteCount: 0, bytes: 0..<0)
        var start: UInt64 = 0, end: UInt64 = 0
        var reader = FieldReader(value, of: "the image's description")
        try fields(&reader, &start, &end)
        guard start <= end, end <= deviceByteCount, end - start <= WatchedArea.maximumByteCount else {
            throw Failure("read", "the image's description", "its watched areas are malformed")
        }
        bytes = start..<end
    }

    /// Bytes in an area at most.
    public static let maximumByteCount: UInt64 = 8 << 20
}
