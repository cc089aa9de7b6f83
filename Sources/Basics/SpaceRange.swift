// SPDX-License-Identifier: Apache-2.0

/// A half-open range of numbers that count in one space: physical addresses, page frames, bytes of a device.
///
/// Ranges of different spaces are different types, so that one cannot stand for the other. `a..<b` is a range of the space
/// that its context asks for.
public struct SpaceRange<Space>: NumberRange, Hashable, Sendable {
    public let lowerBound: UInt64
    public let upperBound: UInt64

    /// - Precondition: the numbers ascend. Untrusted numbers are compared before, or go through `init(start:byteCount:)`.
    public init(_ bounds: Range<UInt64>) {
        lowerBound = bounds.lowerBound
        upperBound = bounds.upperBound
    }

    public var isEmpty: Bool { lowerBound == upperBound }

    public func contains(_ number: UInt64) -> Bool { lowerBound <= number && number < upperBound }

    /// Whether every number of `other` is in this range; an empty one has to lie within its bounds.
    public func contains(_ other: SpaceRange) -> Bool {
        lowerBound <= other.lowerBound && other.upperBound <= upperBound
    }

    /// Whether two ranges have a number in common.
    public func overlaps(_ other: SpaceRange) -> Bool {
        lowerBound < other.upperBound && other.lowerBound < upperBound && !isEmpty && !other.isEmpty
    }

    /// The part of the range that lies within `bounds`; empty if there is none.
    public func clamped(to bounds: SpaceRange) -> SpaceRange {
        let start = min(max(lowerBound, bounds.lowerBound), bounds.upperBound)
        return start..<max(start, min(upperBound, bounds.upperBound))
    }

    /// How many numbers there are.
    var count: UInt64 { upperBound - lowerBound }
}

/// The range from one number up to another, in the space that the context asks for.
/// - Precondition: the numbers ascend.
public func ..< <Space>(start: UInt64, end: UInt64) -> SpaceRange<Space> {
    let bounds: Range<UInt64> = start..<end
    return SpaceRange(bounds)
}

/// What arrays of ranges need of a range to be united, cut and compared.
public protocol NumberRange {
    var lowerBound: UInt64 { get }
    var upperBound: UInt64 { get }
    init(_ bounds: Range<UInt64>)
}

/// A range that counts in bytes.
public protocol ByteRange: NumberRange {
    var byteCount: UInt64 { get }
    var wholePages: Self { get }
}

/// Physical addresses, in bytes.
public enum PhysicalSpace {}
/// Page frame numbers: physical addresses in units of a page.
public enum FrameSpace {}
/// Virtual addresses of a kernel, in bytes.
public enum VirtualSpace {}
/// Bytes of a block device, a file in its place or another file that is read at offsets.
public enum DeviceSpace {}

/// Half-open physical addresses, in bytes.
public typealias PhysicalRange = SpaceRange<PhysicalSpace>
/// Half-open page frame numbers.
public typealias FrameRange = SpaceRange<FrameSpace>
/// Half-open virtual addresses of a kernel, in bytes.
public typealias VirtualRange = SpaceRange<VirtualSpace>
/// Half-open bytes of a device.
public typealias DeviceRange = SpaceRange<DeviceSpace>

/// A space whose numbers are bytes.
public protocol ByteSpace {}
extension PhysicalSpace: ByteSpace {}
extension VirtualSpace: ByteSpace {}
extension DeviceSpace: ByteSpace {}

extension SpaceRange: ByteRange where Space: ByteSpace {
    /// Bytes in the range.
    public var byteCount: UInt64 { count }

    /// The bytes from `start` on; nil if they would end beyond 64 bits.
    public init?(start: UInt64, byteCount: UInt64) {
        let (end, overflow) = start.addingReportingOverflow(byteCount)
        if overflow { return nil }
        self.init(start..<end)
    }

    /// The whole pages that lie inside the range; empty if there are none.
    public var wholePages: SpaceRange {
        let (raised, overflow) = lowerBound.addingReportingOverflow(pageSize - 1)
        if overflow { return upperBound..<upperBound }
        let first = raised & ~(pageSize - 1)
        let end = upperBound & ~(pageSize - 1)
        return first < end ? first..<end : first..<first
    }
}

extension PhysicalRange {
    /// The page frames whose first byte lies in the range; the range consists of whole pages.
    public var frames: FrameRange { lowerBound / pageSize..<upperBound / pageSize }
}

extension FrameRange {
    /// How many page frames there are.
    public var frameCount: UInt64 { count }

    /// Each page frame number.
    public var numbers: Range<UInt64> { lowerBound..<upperBound }

    /// The physical addresses of the page frames; nil if they would end beyond 64 bits.
    public var addresses: PhysicalRange? {
        let (start, overflow) = lowerBound.multipliedReportingOverflow(by: pageSize)
        let (end, carry) = upperBound.multipliedReportingOverflow(by: pageSize)
        return overflow || carry ? nil : start..<end
    }
}
