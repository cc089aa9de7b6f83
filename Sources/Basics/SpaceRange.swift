// SPDX-License-Identifier: Apache-2.0

/// A half-open range of numbers in one space: physical addresses, page frames, bytes of a device.
///
/// Each space has its own range type, so the compiler rejects one in place of another. `a..<b` is a range of the space that its
/// context expects.
public struct SpaceRange<Space>: NumberRange, Hashable, Sendable {
    public let lowerBound: UInt64
    public let upperBound: UInt64

    /// - Precondition: the numbers ascend. Compare untrusted numbers first, or use `init(start:byteCount:)`.
    public init(_ bounds: Range<UInt64>) {
        lowerBound = bounds.lowerBound
        upperBound = bounds.upperBound
    }

    public var isEmpty: Bool { lowerBound == upperBound }

    public func contains(_ number: UInt64) -> Bool { lowerBound <= number && number < upperBound }

    /// Whether every number of `other` is in this range. An empty range counts if its bounds are within these bounds.
    public func contains(_ other: SpaceRange) -> Bool {
        lowerBound <= other.lowerBound && other.upperBound <= upperBound
    }

    /// Whether two ranges have a number in common.
    public func overlaps(_ other: SpaceRange) -> Bool {
        lowerBound < other.upperBound && other.lowerBound < upperBound && !isEmpty && !other.isEmpty
    }

    /// The part of the range within `bounds`; empty if there is none.
    public func clamped(to bounds: SpaceRange) -> SpaceRange {
        let start = min(max(lowerBound, bounds.lowerBound), bounds.upperBound)
        return start..<max(start, min(upperBound, bounds.upperBound))
    }

    /// How many numbers are in the range.
    var count: UInt64 { upperBound - lowerBound }
}

/// A half-open range in the space that its context expects.
/// - Precondition: the numbers ascend.
public func ..< <Space>(start: UInt64, end: UInt64) -> SpaceRange<Space> {
    let bounds: Range<UInt64> = start..<end
    return SpaceRange(bounds)
}

/// The requirements of a range in a set: `normalized()`, `intersection(_:)`, `subtracting(_:)` and `covers(_:)` need no more.
public protocol NumberRange {
    var lowerBound: UInt64 { get }
    var upperBound: UInt64 { get }
    init(_ bounds: Range<UInt64>)
}

/// A range whose numbers are bytes.
public protocol ByteRange: NumberRange {
    var byteCount: UInt64 { get }
    var wholePages: Self { get }
}

/// Physical addresses, in bytes.
public enum PhysicalSpace {}
/// Page frame numbers: physical addresses in units of a page.
public enum FrameSpace {}
/// A kernel's virtual addresses, in bytes.
public enum VirtualSpace {}
/// Byte offsets in a block device, in a regular file that replaces one, or in another file that is read at offsets.
public enum DeviceSpace {}

/// A half-open range of physical addresses, in bytes.
public typealias PhysicalRange = SpaceRange<PhysicalSpace>
/// A half-open range of page frame numbers.
public typealias FrameRange = SpaceRange<FrameSpace>
/// A half-open range of a kernel's virtual addresses, in bytes.
public typealias VirtualRange = SpaceRange<VirtualSpace>
/// A half-open range of byte offsets in a device.
public typealias DeviceRange = SpaceRange<DeviceSpace>

/// A space whose numbers are bytes.
public protocol ByteSpace {}
extension PhysicalSpace: ByteSpace {}
extension VirtualSpace: ByteSpace {}
extension DeviceSpace: ByteSpace {}

extension SpaceRange: ByteRange where Space: ByteSpace {
    /// The size in bytes.
    public var byteCount: UInt64 { count }

    /// The range that begins at `start`; nil if its end would be above 64 bits.
    public init?(start: UInt64, byteCount: UInt64) {
        let (end, overflow) = start.addingReportingOverflow(byteCount)
        if overflow { return nil }
        self.init(start..<end)
    }

    /// The whole pages inside the range; empty if there are none.
    public var wholePages: SpaceRange {
        let (raised, overflow) = lowerBound.addingReportingOverflow(pageSize - 1)
        if overflow { return upperBound..<upperBound }
        let first = raised & ~(pageSize - 1)
        let end = upperBound & ~(pageSize - 1)
        return first < end ? first..<end : first..<first
    }
}

extension PhysicalRange {
    /// The page frames of the range.
    /// - Precondition: the range consists of whole pages.
    public var frames: FrameRange { lowerBound / pageSize..<upperBound / pageSize }
}

extension FrameRange {
    /// The number of page frames.
    public var frameCount: UInt64 { count }

    /// The page frame numbers, to iterate over.
    public var numbers: Range<UInt64> { lowerBound..<upperBound }

    /// The physical addresses of the page frames; nil if their end would be above 64 bits.
    public var addresses: PhysicalRange? {
        let (start, overflow) = lowerBound.multipliedReportingOverflow(by: pageSize)
        let (end, carry) = upperBound.multipliedReportingOverflow(by: pageSize)
        return overflow || carry ? nil : start..<end
    }
}
