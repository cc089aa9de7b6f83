// SPDX-License-Identifier: Apache-2.0

/// Sets of numbers, as arrays of half-open ranges in one space.
extension Array where Element: NumberRange {
    /// The same numbers as sorted, disjoint, non-empty ranges. Adjacent ranges become one.
    public func normalized() -> [Element] {
        var result: [Element] = []
        for range in sorted(by: { $0.lowerBound < $1.lowerBound }) where range.lowerBound < range.upperBound {
            if let last = result.last, range.lowerBound <= last.upperBound {
                result[result.count - 1] = Element(last.lowerBound..<Swift.max(last.upperBound, range.upperBound))
            } else {
                result.append(range)
            }
        }
        return result
    }

    /// The numbers in both sets, normalized.
    public func intersection(_ others: [Element]) -> [Element] {
        let (left, right) = (normalized(), others.normalized())
        var (i, j) = (0, 0)
        var result: [Element] = []
        while i < left.count, j < right.count {
            let start = Swift.max(left[i].lowerBound, right[j].lowerBound)
            let end = Swift.min(left[i].upperBound, right[j].upperBound)
            if start < end { result.append(Element(start..<end)) }
            if left[i].upperBound < right[j].upperBound { i += 1 } else { j += 1 }
        }
        return result
    }

    /// The numbers of this set that are in none of `others`, normalized.
    public func subtracting(_ others: [Element]) -> [Element] {
        let holes = others.normalized()
        var result: [Element] = []
        // A hole that ends before a range also ends before all later ranges.
        var next = 0
        for range in normalized() {
            var start = range.lowerBound
            while next < holes.count, holes[next].upperBound <= range.lowerBound { next += 1 }
            for hole in holes[next...] {
                if hole.lowerBound >= range.upperBound { break }
                if start < hole.lowerBound { result.append(Element(start..<hole.lowerBound)) }
                start = Swift.max(start, hole.upperBound)
            }
            if start < range.upperBound { result.append(Element(start..<range.upperBound)) }
        }
        return result
    }

    /// Whether every number of `range` is in this set.
    public func covers(_ range: Element) -> Bool { [range].subtracting(self).isEmpty }
}

extension Array where Element: ByteRange {
    /// The total size in bytes.
    /// - Precondition: the ranges are disjoint.
    public var byteCount: UInt64 { reduce(0) { $0 + $1.byteCount } }

    /// The whole pages inside the normalized ranges.
    public var wholePages: [Element] { normalized().map { $0.wholePages }.normalized() }
}
