// SPDX-License-Identifier: Apache-2.0

/// Makes text from elsewhere (a label, a host name, a reason on a disk) safe to show on a terminal or in a log.
///
/// A character becomes an escape if it could control a terminal, reorder a line, hide in it or end it: control characters
/// become `\x1b` (C0, DEL) or `\u009b` (C1), line separators and the marks of bidirectional text become `\u202e`. All other
/// characters stay, backslashes too, so escaping twice gives the same text.
public func printable(_ text: String) -> String { printable(bytes: Array(text.utf8)) }

/// The same for bytes that should be UTF-8. A byte that is not part of a character becomes `\xff`.
public func printable(bytes: [UInt8]) -> String { escaped(bytes) { isHidden($0) } }

/// Decodes bytes from a disk as UTF-8. A byte that is not part of a character becomes `\xff`; nothing else is escaped.
public func text(fromDisk bytes: [UInt8]) -> String { escaped(bytes) { _ in false } }

/// Escapes the characters of JSON that a terminal would not show, as `\u009b`. They can only be inside strings. Line feeds
/// between the values stay.
public func printable(json: String) -> String {
    var result: [UInt8] = []
    for scalar in json.unicodeScalars {
        guard scalar.value >= 0x7f, isHidden(scalar.value) else {
            result += Array(String(scalar).utf8)
            continue
        }
        for unit in String(scalar).utf16 { result += Array("\\u\(hexadecimal(UInt64(unit), digits: 4))".utf8) }
    }
    return String(decoding: result, as: UTF8.self)
}

private func escaped(_ bytes: [UInt8], _ isEscaped: (UInt32) -> Bool) -> String {
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count)
    var i = 0
    while i < bytes.count {
        guard let (scalar, count) = scalar(in: bytes, at: i) else {
            result += Array("\\x\(hexadecimal(UInt64(bytes[i]), digits: 2))".utf8)
            i += 1
            continue
        }
        if !isEscaped(scalar) {
            result += bytes[i..<i + count]
        } else if scalar < 0x80 {
            result += Array("\\x\(hexadecimal(UInt64(scalar), digits: 2))".utf8)
        } else {
            result += Array("\\u\(hexadecimal(UInt64(scalar), digits: 4))".utf8)
        }
        i += count
    }
    return String(decoding: result, as: UTF8.self)
}

/// Whether a character is invisible: Unicode's control characters (Cc), line and paragraph separators, and format characters
/// that are invisible or that reorder or hide text. The joiners (U+200C, U+200D) do not count: some scripts need them.
private func isHidden(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 0..<0x20, 0x7f..<0xa0, 0xad, 0x61c, 0x180e, 0x200b, 0x200e...0x200f, 0x2028...0x202e, 0x2060...0x206f,
        0xfeff, 0xfff9...0xfffb,
        0xe0000...0xe007f:
        true
    default: false
    }
}

/// Decodes the character at an index of UTF-8 bytes (The Unicode Standard, table 3-7).
/// - Returns: the character and its length in bytes; nil if the bytes there are not well-formed.
private func scalar(in bytes: [UInt8], at index: Int) -> (scalar: UInt32, count: Int)? {
    let first = bytes[index]
    if first < 0x80 { return (UInt32(first), 1) }
    let count: Int
    switch first {
    case 0xc2...0xdf: count = 2
    case 0xe0...0xef: count = 3
    case 0xf0...0xf4: count = 4
    default: return nil
    }
    guard index + count <= bytes.count else { return nil }
    var value = UInt32(first) & (0x7f >> UInt32(count))
    for byte in bytes[index + 1..<index + count] {
        guard byte & 0xc0 == 0x80 else { return nil }
        value = value << 6 | UInt32(byte & 0x3f)
    }
    let isCanonical = count == 2 || count == 3 && value >= 0x800 || count == 4 && value >= 0x10000
    guard isCanonical, value < 0x11_0000, !(0xd800...0xdfff).contains(value) else { return nil }
    return (value, count)
}
