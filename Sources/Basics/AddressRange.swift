/// A half-open range of physical addresses, in bytes.
public typealias AddressRange = Range<UInt64>

/// Bytes in a page; x86_64 has no other base page size.
public let pageSize: UInt64 = 4096

/// Bytes below N at most: kernel B is entered below 4 GiB.
public let maximumBackupByteCount: UInt64 = 4 << 30

/// Ranges of memory that a machine has at most, here: as many as the core header that names them may have.
public let maximumMemoryRanges = 4095

/// Bytes of all ELF notes at most that kernel A gives to kernel B and that kernel B reads: it has little memory.
public let maximumNoteByteCount = 2 << 20

extension Range where Bound == UInt64 {
    /// Bytes in the range.
    public var byteCount: UInt64 { upperBound - lowerBound }

    /// The whole pages that lie inside the range; empty where there are none.
    public var wholePages: AddressRange {
        let (raised, overflow) = lowerBound.addingReportingOverflow(pageSize - 1)
        if overflow { return upperBound..<upperBound }
        let first = raised & ~(pageSize - 1)
        let end = upperBound & ~(pageSize - 1)
        return first < end ? first..<end : first..<first
    }
}

extension Array where Element == AddressRange {
    /// The same addresses as sorted, disjoint, non-empty ranges; ranges that touch become one.
    public func normalized() -> [AddressRange] {
        var result: [AddressRange] = []
        for range in sorted(by: { $0.lowerBound < $1.lowerBound }) where !range.isEmpty {
            if let last = result.last, range.lowerBound <= last.upperBound {
                result[result.count - 1] = last.lowerBound..<Swift.max(last.upperBound, range.upperBound)
            } else {
                result.append(range)
            }
        }
        return result
    }

    /// The addresses that lie in both, normalized.
    public func intersection(_ others: [AddressRange]) -> [AddressRange] {
        let (left, right) = (normalized(), others.normalized())
        var (i, j) = (0, 0)
        var result: [AddressRange] = []
        while i < left.count, j < right.count {
            let start = Swift.max(left[i].lowerBound, right[j].lowerBound)
            let end = Swift.min(left[i].upperBound, right[j].upperBound)
            if start < end { result.append(start..<end) }
            if left[i].upperBound < right[j].upperBound { i += 1 } else { j += 1 }
        }
        return result
    }

    /// The addresses of this array that lie in none of `others`, normalized.
    public func subtracting(_ others: [AddressRange]) -> [AddressRange] {
        let holes = others.normalized()
        var result: [AddressRange] = []
        // A hole that ends before a range ends before all that follow as well.
        var next = 0
        for range in normalized() {
            var start = range.lowerBound
            while next < holes.count, holes[next].upperBound <= range.lowerBound { next += 1 }
            for hole in holes[next...] {
                if hole.lowerBound >= range.upperBound { break }
                if start < hole.lowerBound { result.append(start..<hole.lowerBound) }
                start = Swift.max(start, hole.upperBound)
            }
            if start < range.upperBound { result.append(start..<range.upperBound) }
        }
        return result
    }

    /// Whether every address of `range` lies in these ranges.
    public func covers(_ range: AddressRange) -> Bool {
        range.isEmpty || [range].subtracting(self).isEmpty
    }

    /// Bytes in all ranges together; the ranges must be disjoint.
    public var byteCount: UInt64 { reduce(0) { $0 + $1.byteCount } }

    /// The whole pages inside each of the normalized ranges.
    public var wholePages: [AddressRange] { normalized().map { $0.wholePages }.normalized() }
}
