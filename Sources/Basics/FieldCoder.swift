// SPDX-License-Identifier: Apache-2.0

/// One pass over the fields of a structure, in either direction: a `FieldWriter` puts them into bytes, a `FieldReader` takes
/// them out of bytes.
///
/// A structure names each field once, with its offset, in a method `fields(_:)` that works for both. Offsets and counts are in
/// bytes, integers are little-endian. A list or a text whose size is stored before it makes everything behind it movable:
/// methods for these take the offset `inout` and leave it behind what they passed over.
public protocol FieldCoder {
    /// `Failure` for a reader; a writer never fails.
    associatedtype Refusal: Error

    mutating func integer<T: FixedWidthInteger & BitwiseCopyable>(_ value: inout T, at offset: Int) throws(Refusal)

    /// An integer that every structure of this kind has: a magic, the size of a row.
    /// - Parameter complaint: the reason that a reader gives if it finds another one.
    mutating func constant<T: FixedWidthInteger & BitwiseCopyable>(
        _ value: T, at offset: Int, _ complaint: String
    ) throws(Refusal)

    /// A value that is stored as an integer.
    /// - Parameters:
    ///   - decode: gives nil for integers that stand for no value.
    ///   - complaint: the reason that a reader gives then.
    mutating func value<Value, T: FixedWidthInteger & BitwiseCopyable>(
        _ value: inout Value, at offset: Int, _ encode: (Value) -> T, _ decode: (T) -> Value?, _ complaint: String
    ) throws(Refusal)

    mutating func bytes(_ value: inout [UInt8], at offset: Int, count: Int) throws(Refusal)

    /// Text in a field of `count` bytes, padded with NUL.
    /// - Parameter limit: bytes that a writer uses; one of them stays NUL.
    mutating func text(_ value: inout String, at offset: Int, count: Int, limit: Int) throws(Refusal)
}

extension FieldCoder {
    public mutating func text(_ value: inout String, at offset: Int, count: Int) throws(Refusal) {
        try text(&value, at: offset, count: count, limit: count)
    }

    /// A UUID, its bytes in the order in which a UUID is written.
    public mutating func uuid(_ value: inout UUID, at offset: Int) throws(Refusal) {
        var content = value.bytes
        try bytes(&content, at: offset, count: content.count)
        value = UUID(bytes: content) ?? value
    }

    /// A number of things, stored in 32 bits.
    public mutating func count(_ value: inout Int, at offset: Int) throws(Refusal) {
        var number = UInt32(truncatingIfNeeded: value)
        try integer(&number, at: offset)
        value = Int(number)
    }

    /// Bit 0 of 32 bits. A writer sets the others to 0, a reader ignores them.
    public mutating func flag(_ value: inout Bool, at offset: Int) throws(Refusal) {
        var bits: UInt32 = value ? 1 : 0
        try integer(&bits, at: offset)
        value = bits & 1 != 0
    }

    /// Text behind its size. Bytes that are not UTF-8 are replaced.
    public mutating func sizedText(_ value: inout String, at offset: inout Int) throws(Refusal) {
        var content = Array(value.utf8)
        var size = content.count
        try count(&size, at: offset)
        try bytes(&content, at: offset + 4, count: size)
        value = String(decoding: content, as: UTF8.self)
        offset += 4 + size
    }

    /// Items of one size, behind their number.
    /// - Parameters:
    ///   - items: empty for a reader.
    ///   - blank: what a reader begins an item with.
    ///   - fields: passes over one item, which begins at an offset.
    public mutating func list<Item>(
        _ items: inout [Item], at offset: inout Int, itemByteCount: Int, blank: Item,
        _ fields: (inout Item, inout Self, Int) throws(Refusal) -> Void
    ) throws(Refusal) {
        var number = items.count
        try count(&number, at: offset)
        offset += 4
        for i in 0..<number {
            // One by one: a number that nobody can believe ends with the bytes.
            if i == items.count { items.append(blank) }
            try fields(&items[i], &self, offset)
            offset += itemByteCount
        }
    }
}

/// Puts fields into bytes, which grow as needed. Bytes that no field takes are zeros.
public struct FieldWriter: FieldCoder {
    public typealias Refusal = Never

    public private(set) var bytes: [UInt8]

    /// - Parameter byteCount: how many bytes there are at least.
    public init(byteCount: Int) { bytes = [UInt8](repeating: 0, count: byteCount) }

    private mutating func grow(to end: Int) {
        if bytes.count < end { bytes += [UInt8](repeating: 0, count: end - bytes.count) }
    }

    public mutating func integer<T: FixedWidthInteger & BitwiseCopyable>(_ value: inout T, at offset: Int) {
        put(value, at: offset)
    }

    /// Puts an integer at an offset.
    public mutating func put<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, at offset: Int) {
        grow(to: offset + MemoryLayout<T>.size)
        bytes.put(value, at: offset)
    }

    public mutating func constant<T: FixedWidthInteger & BitwiseCopyable>(
        _ value: T, at offset: Int, _ complaint: String
    ) {
        put(value, at: offset)
    }

    public mutating func value<Value, T: FixedWidthInteger & BitwiseCopyable>(
        _ value: inout Value, at offset: Int, _ encode: (Value) -> T, _ decode: (T) -> Value?, _ complaint: String
    ) {
        put(encode(value), at: offset)
    }

    public mutating func bytes(_ value: inout [UInt8], at offset: Int, count: Int) {
        grow(to: offset + count)
        bytes.put(value, at: offset, limit: count)
    }

    public mutating func text(_ value: inout String, at offset: Int, count: Int, limit: Int) {
        grow(to: offset + count)
        bytes.put(text: value, at: offset, limit: limit)
    }
}

/// Takes fields out of untrusted bytes: nothing here traps, whatever they hold.
public struct FieldReader: FieldCoder {
    public typealias Refusal = Failure

    private let bytes: [UInt8]
    private let subject: String
    private let isFinal: Bool

    /// - Parameters:
    ///   - subject: the structure, for refusals: `the index`.
    ///   - isFinal: of the refusals: see `Failure.isFinal`.
    public init(_ bytes: [UInt8], of subject: String, isFinal: Bool = false) {
        self.bytes = bytes
        self.subject = subject
        self.isFinal = isFinal
    }

    private func refusal(_ reason: String) -> Failure { Failure("read", subject, reason, isFinal: isFinal) }

    public func integer<T: FixedWidthInteger & BitwiseCopyable>(_ value: inout T, at offset: Int) throws(Failure) {
        value = try bytes.span.bytes.integer(at: offset)
    }

    public func constant<T: FixedWidthInteger & BitwiseCopyable>(
        _ value: T, at offset: Int, _ complaint: String
    ) throws(Failure) {
        guard try bytes.span.bytes.integer(at: offset) == value else { throw refusal(complaint) }
    }

    public func value<Value, T: FixedWidthInteger & BitwiseCopyable>(
        _ value: inout Value, at offset: Int, _ encode: (Value) -> T, _ decode: (T) -> Value?, _ complaint: String
    ) throws(Failure) {
        guard let decoded = decode(try bytes.span.bytes.integer(at: offset)) else { throw refusal(complaint) }
        value = decoded
    }

    public func bytes(_ value: inout [UInt8], at offset: Int, count: Int) throws(Failure) {
        value = try bytes.span.bytes.copy(at: offset, count: count)
    }

    public func text(_ value: inout String, at offset: Int, count: Int, limit: Int) throws(Failure) {
        value = try bytes.span.bytes.text(at: offset, count: count)
    }
}
