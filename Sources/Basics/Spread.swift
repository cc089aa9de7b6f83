// SPDX-License-Identifier: Apache-2.0

/// Reorders items so that every prefix is a sample of the whole.
///
/// The fractional parts of the multiples of the golden ratio are spread evenly between 0 and 1, for any number of multiples.
/// The items get these fractions in ascending order, and are taken in the order of the multiples.
public func spread<Item>(_ items: [Item]) -> [Item] {
    func place(_ multiple: Int) -> UInt64 { UInt64(multiple) &* 0x9e37_79b9_7f4a_7c15 }
    var result = items
    for (rank, multiple) in items.indices.sorted(by: { place($0) < place($1) }).enumerated() {
        result[multiple] = items[rank]
    }
    return result
}
