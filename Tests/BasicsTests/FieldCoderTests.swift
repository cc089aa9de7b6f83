// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

/// A structure with a field of every kind.
private struct Example: Equatable {
    enum Color: UInt16 { case red = 3, green = 7 }

    var number: UInt32 = 0
    var color = Color.red
    var uuid = UUID.zero
    var label = ""
    var isMarked = false
    var count = 0
    var name = ""
    var sizes: [UInt16] = []
    var end: UInt8 = 0

    mutating func fields<Coder: FieldCoder>(_ coder: inout Coder) throws(Coder.Refusal) {
        try coder.constant(UInt32(0x1122_3344), at: 0, "its magic is missing")
        try coder.integer(&number, at: 4)
        try coder.value(&color, at: 8, { $0.rawValue }, { Color(rawValue: $0) }, "its color is unknown")
        try coder.uuid(&uuid, at: 12)
        try coder.text(&label, at: 28, count: 8, limit: 5)
        try coder.flag(&isMarked, at: 36)
        try coder.count(&count, at: 40)
        var offset = 48
        try coder.sizedText(&name, at: &offset)
        try coder.list(&sizes, at: &offset, itemByteCount: 2, blank: 0) { (item, coder, start) throws(Coder.Refusal) in
            try coder.integer(&item, at: start)
        }
        try coder.integer(&end, at: offset)
    }

    func encoded() -> [UInt8] {
        var copy = self
        var writer = FieldWriter(byteCount: 0)
        copy.fields(&writer)
        return writer.bytes
    }

    init() {}

    init(decoding bytes: [UInt8]) throws(Failure) {
        var reader = FieldReader(bytes, of: "the example", isFinal: true)
        try fields(&reader)
    }
}

@Suite struct FieldCoderTests {
    private static let example = {
        var example = Example()
        example.number = 0x0102_0304
        example.color = .green
        example.uuid = UUID("01234567-89ab-4cde-8f01-23456789abcd") ?? .zero
        example.label = "abcd"
        example.isMarked = true
        example.count = 5
        example.name = "né"
        example.sizes = [1, 0x0203]
        example.end = 0xee
        return example
    }()
    private static let bytes: [UInt8] =
        [0x44, 0x33, 0x22, 0x11, 4, 3, 2, 1, 7, 0, 0, 0]
        + [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0x4c, 0xde, 0x8f, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd]
        + [0x61, 0x62, 0x63, 0x64, 0, 0, 0, 0, 1, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0]
        + [3, 0, 0, 0, 0x6e, 0xc3, 0xa9, 2, 0, 0, 0, 1, 0, 3, 2, 0xee]

    @Test func oneTableServesBothDirections() throws {
        #expect(Self.example.encoded() == Self.bytes)
        #expect(try Example(decoding: Self.bytes) == Self.example)
    }

    @Test func refusesEveryTruncation() {
        for count in Self.bytes.indices {
            #expect(throws: Failure.self, "\(count) bytes") { try Example(decoding: Array(Self.bytes.prefix(count))) }
        }
    }

    @Test(
        arguments: [
            (0, 0x45, "its magic is missing"), (8, 3, nil), (8, 4, "its color is unknown"), (36, 0xff, nil),
            (37, 0xff, nil), (45, 0xff, nil), (51, 0xff, "only 64 bytes are there"),
            // A list that claims 2^31 items more.
            (58, 0x80, "only 64 bytes are there"),
        ] as [(Int, UInt8, String?)])
    func saysWhatItRefuses(offset: Int, byte: UInt8, reason: String?) throws {
        var bytes = Self.bytes
        bytes[offset] = byte
        guard let reason else {
            _ = try Example(decoding: bytes)
            return
        }
        let failure = #expect(throws: Failure.self) { try Example(decoding: bytes) }
        #expect(failure?.reason == reason)
        if reason.hasPrefix("its") { #expect(failure?.isFinal == true && failure?.operand == "the example") }
    }

    /// Text that a writer cuts, and flags that another version may set.
    @Test func keepsToTheFields() throws {
        var example = Self.example
        example.label = "abcdefgh"
        #expect(try Example(decoding: example.encoded()).label == "abcd")
        var bytes = Self.bytes
        bytes[36] = 0xfe
        #expect(try !Example(decoding: bytes).isMarked)
        bytes[32] = 0x78
        #expect(try Example(decoding: bytes).label == "abcdx", "a reader takes the whole field")
    }

    @Test func aWriterGrowsAndFillsWithZeros() {
        var writer = FieldWriter(byteCount: 2)
        writer.put(UInt8(1), at: 5)
        #expect(writer.bytes == [0, 0, 0, 0, 0, 1])
        writer.put(UInt16(0x0302), at: 0)
        #expect(writer.bytes == [2, 3, 0, 0, 0, 1])
    }
}
