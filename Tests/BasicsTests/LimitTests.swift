// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

/// Ranges and numbers at the end of what 64 bits can say, where a sum that is not checked would trap.
@Suite struct AddressRangeLimitTests {
    private static let all: PhysicalRange = 0..<UInt64.max

    @Test(
        arguments: [
            ([all], [UInt64.max - 10..<UInt64.max], [0..<UInt64.max - 10]), ([all], [all], []), ([all], [], [all]),
            ([all], [0..<1, 5..<6, UInt64.max - 1..<UInt64.max], [1..<5, 6..<UInt64.max - 1]), ([], [all], []),
            // A hole that covers the end of one range and the beginning of the next.
            ([0..<10, 20..<30], [5..<25], [0..<5, 25..<30]),
        ] as [([PhysicalRange], [PhysicalRange], [PhysicalRange])])
    func subtracts(ranges: [PhysicalRange], holes: [PhysicalRange], expected: [PhysicalRange]) {
        #expect(ranges.subtracting(holes) == expected)
        let kept = ranges.intersection(holes)
        #expect(kept.byteCount + expected.byteCount == ranges.byteCount, "a byte is in both parts or in none")
    }

    @Test(
        arguments: [
            ([0..<10, 10..<20], 5..<15, true), ([0..<10, 11..<20], 5..<15, false), ([all], all, true),
            ([0..<10], 10..<11, false), ([0..<10], 9..<11, false), ([0..<10], 0..<10, true),
            // Nothing is everywhere.
            ([], 7..<7, true), ([], 7..<8, false),
        ] as [([PhysicalRange], PhysicalRange, Bool)])
    func covers(ranges: [PhysicalRange], range: PhysicalRange, expected: Bool) {
        #expect(ranges.covers(range) == expected)
    }

    /// A page counts where every byte of it lies in some range, even if no single range has it whole.
    @Test(arguments: 0..<40 as Range<UInt64>)
    func takesThePagesOfWhichEveryByteIsThere(seed: UInt64) {
        var generator = SeededGenerator(seed)
        let ranges: [PhysicalRange] = (0..<4).map { _ in
            let start = UInt64.random(in: 0...5, using: &generator) * pageSize
            let shift = UInt64.random(in: 0...2, using: &generator)
            let count = UInt64.random(in: 0...2, using: &generator) * pageSize
            return start + shift..<start + shift + count + UInt64.random(in: 0...2, using: &generator)
        }
        var isThere = [Bool](repeating: false, count: 9 * Int(pageSize))
        for range in ranges { for address in range.lowerBound..<range.upperBound { isThere[Int(address)] = true } }
        var expected: [UInt64] = []
        for page in 0..<UInt64(9) {
            let bytes = isThere[Int(page * pageSize)..<Int((page + 1) * pageSize)]
            if bytes.allSatisfy({ $0 }) { expected.append(page * pageSize) }
        }
        let pages = ranges.wholePages
        #expect(pages.flatMap { Array(stride(from: $0.lowerBound, to: $0.upperBound, by: 4096)) } == expected)
        #expect(pages.allSatisfy { $0.lowerBound % pageSize == 0 && $0.upperBound % pageSize == 0 && !$0.isEmpty })
    }
}

@Suite struct NumberLimitTests {
    /// The last number that fits, and the first that does not.
    @Test(
        arguments: [
            ("18014398509481983K", UInt64.max - 1023), ("18014398509481984K", nil),
            ("16777215T", UInt64.max - (1 << 40) + 1),
            ("18446744073709551615", UInt64.max), ("18446744073709551616", nil), ("4g", 4 << 30), ("1KiB", 1024),
            ("1kib", nil), ("1KB", nil), ("-1", nil), ("1 K", nil), ("0T", 0),
        ] as [(String, UInt64?)])
    func readsSizes(text: String, expected: UInt64?) { #expect(parseSize(text) == expected) }

    @Test(
        arguments: [
            ("ffffffffffffffff", UInt64.max), ("10000000000000000", nil), ("00000000000000000000ff", 255),
            ("FfFf", 65535),
            (" f", nil), ("+f", nil), ("-f", nil), ("\u{ff11}", nil),
        ] as [(String, UInt64?)])
    func readsHexadecimalDigits(text: String, expected: UInt64?) { #expect(parseHexadecimal(text) == expected) }

    @Test(arguments: 0..<64 as Range<UInt64>)
    func readsBackWhatItWrites(bit: UInt64) {
        for value: UInt64 in [1 << bit, (1 << bit) - 1, UInt64.max << bit] {
            #expect(parseHexadecimal(hexadecimal(value)) == value)
            #expect(parseNumber("0x\(hexadecimal(value, digits: 16))") == value)
            #expect(hexadecimal(value, digits: 16).utf8.count == 16)
            #expect(parseNumber("\(value)") == value)
        }
    }

    /// Just below a unit the smaller one is used, and nothing is rounded up to 1024.
    @Test(
        arguments: [
            (1 << 20 - 1, "1023.9 KiB"), (1 << 20, "1.0 MiB"), (1 << 40 - 1, "1023.9 GiB"), (1 << 40, "1.0 TiB"),
            (1 << 50, "1.0 PiB"), (1 << 60, "1.0 EiB"), (1025, "1.0 KiB"),
        ] as [(UInt64, String)])
    func describesSizes(bytes: UInt64, expected: String) { #expect(describe(bytes: bytes) == expected) }
}

@Suite struct FieldLimitTests {
    @Test func putsNoMoreBytesThanTheFieldHas() {
        var bytes = [UInt8](repeating: 0xee, count: 6)
        bytes.put([1, 2, 3, 4], at: 1, limit: 2)
        #expect(bytes == [0xee, 1, 2, 0xee, 0xee, 0xee])
        bytes.put([9], at: 4, limit: 2)
        #expect(bytes == [0xee, 1, 2, 0xee, 9, 0xee])
    }

    @Test(arguments: [(1, ""), (2, "a"), (3, "a"), (4, "aé"), (5, "aé"), (6, "aé"), (7, "aé€")])
    func leavesRoomForTheNUL(limit: Int, expected: String) throws {
        var bytes = [UInt8](repeating: 0, count: 10)
        bytes.put(text: "aé€", at: 0, limit: limit)
        #expect(try bytes.span.bytes.text(at: 0, count: limit) == expected)
        #expect(bytes[(limit - 1)...].allSatisfy { $0 == 0 })
    }

    @Test func anEmptySpanHasNoFields() {
        let bytes: [UInt8] = []
        #expect(throws: Failure.self) { try bytes.span.bytes.integer(at: 0, as: UInt8.self) }
        #expect(throws: Failure.self) { try bytes.span.bytes.copy(at: 0, count: 1) }
        #expect((try? bytes.span.bytes.copy(at: 0, count: 0)) == [])
    }
}
