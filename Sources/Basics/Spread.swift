// SPDX-License-Identifier: Apache-2.0

/// The same items in an order in which each beginning is like the whole: multiples of the golden ratio, without their whole
/// parts, fall evenly between 0 and 1, however many there are. An item comes as late as the multiple is that has its place.
public func spread<Item>(_ items: [Item]) -> [Item] {
    func place(_ multiple: Int) -> UInt64 { UInt64(multiple) &* 0x9e37_79b9_7f4a_7c15 }
    var result = items
    for (rank, multiple) in items.indices.sorted(by: { place($0) < place($1) }).enumerated() {
        result[multiple] = items[rank]
    }
    return result
}
