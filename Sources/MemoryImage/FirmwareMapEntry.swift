// SPDX-License-Identifier: Apache-2.0
import Basics

/// A range of the firmware's map in the form in which a description has it.
struct FirmwareMapEntry {
    private var start: UInt64 = 0
    private var end: UInt64 = 0
    private var type = ""

    init() {}

    init(_ range: FirmwareRange) {
        start = range.addresses.lowerBound
        end = range.addresses.upperBound
        type = range.type
    }

    /// nil if its end is before its beginning.
    var range: FirmwareRange? { start <= end ? FirmwareRange(addresses: start..<end, type: type) : nil }

    mutating func fields<Coder: FieldCoder>(_ coder: inout Coder, at offset: inout Int) throws(Coder.Refusal) {
        try coder.integer(&start, at: offset)
        try coder.integer(&end, at: offset + 8)
        offset += 16
        try coder.sizedText(&type, at: &offset)
    }
}
