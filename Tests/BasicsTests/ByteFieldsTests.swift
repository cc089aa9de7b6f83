// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@Suite struct ByteFieldsTests {
    private let bytes: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8, 9]

    @Test func readsLittleEndianIntegersAtAnyOffset() throws {
        #expect(try bytes.span.bytes.integer(at: 0, as: UInt16.self) == 0x0201)
        #expect(try bytes.span.bytes.integer(at: 5, as: UInt32.self) == 0x0908_0706)
        #expect(try bytes.span.bytes.integer(at: 1, as: UInt64.self) == 0x0908_0706_0504_0302)
        #expect(try bytes.span.bytes.integer(at: 8, as: UInt8.self) == 9)
    }

    @Test(arguments: [-1, 2, 9, Int.max, Int.min, Int.max - 7])
    func refusesIntegersOutsideTheBytes(offset: Int) {
        #expect(throws: Failure.self) { try bytes.span.bytes.integer(at: offset, as: UInt64.self) }
    }

    @Test(arguments: [(-1, 1), (0, 10), (9, 1), (0, -1), (Int.max, 1), (1, Int.max)])
    func refusesCopiesOutsideTheBytes(offset: Int, count: Int) {
        #expect(throws: Failure.self) { try bytes.span.bytes.copy(at: offset, count: count) }
    }

    @Test func copiesAndReadsText() throws {
        #expect(try bytes.span.bytes.copy(at: 7, count: 2) == [8, 9])
        #expect(try bytes.span.bytes.copy(at: 9, count: 0) == [])
        let text = Array("abc".utf8) + [0] + Array("def".utf8)
        #expect(try text.span.bytes.text(at: 0, count: 7) == "abc")
        #expect(try text.span.bytes.text(at: 4, count: 3) == "def")
        #expect(try ([0xff, 0x41] as [UInt8]).span.bytes.text(at: 0, count: 2) == "\\xffA")
    }

    @Test func writesLittleEndianIntegers() throws {
        var field = [UInt8](repeating: 0xee, count: 12)
        field.put(UInt32(0x1234_5678), at: 4)
        #expect(field == [0xee, 0xee, 0xee, 0xee, 0x78, 0x56, 0x34, 0x12, 0xee, 0xee, 0xee, 0xee])
        var list: [UInt8] = []
        list.append(littleEndian: Int32(-2))
        list.append(littleEndian: UInt16(1))
        #expect(list == [0xfe, 0xff, 0xff, 0xff, 1, 0])
    }

    /// A NUL must remain, and no character may be cut in two.
    @Test(arguments: [("abc", "abc"), ("abcdefgh", "abcdefg"), ("abcdefé", "abcdef"), ("ééé€", "ééé"), ("", "")])
    func cutsTextAtACharacter(text: String, expected: String) throws {
        var field = [UInt8](repeating: 0, count: 8)
        field.put(text: text, at: 0, limit: 8)
        #expect(try field.span.bytes.text(at: 0, count: 8) == expected)
        #expect(field.last == 0)
    }

    @Test func putsNoMoreBytesThanTheFieldHas() {
        var bytes = [UInt8](repeating: 0xee, count: 6)
        bytes.put([1, 2, 3, 4], at: 1, limit: 2)
        #expect(bytes == [0xee, 1, 2, 0xee, 0xee, 0xee])
        bytes.put([9], at: 4, limit: 2)
        #expect(bytes == [0xee, 1, 2, 0xee, 9, 0xee])
    }

    @Test(arguments: [(1, ""), (2, "a"), (3, "a"), (4, "aé"), (5, "aé"), (6, "aé"), (7, "aé€")])
    func keepsOneByteForTheNUL(limit: Int, expected: String) throws {
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
