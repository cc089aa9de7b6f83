// SPDX-License-Identifier: Apache-2.0

/// Text that somebody else wrote (a label, a host name, a reason on a disk), as a terminal or a log may show it.
///
/// What could steer a terminal, reorder a line, hide in it or end it is written as an escape: control characters as `\x1b`
/// (C0, DEL) or `\u009b` (C1), line separators and the marks of bidirectional text as `\u202e`. Everything else stays as it is,
/// backslashes too, so text that was escaped once stays the same.
public func printable(_ text: String) -> String { printable(bytes: Array(text.utf8)) }

/// The same of bytes that should be UTF-8: each byte that is not is written as `\xff`.
public func printable(bytes: [UInt8]) -> String { escaped(bytes) { isHidden($0) } }

/// The text that bytes from a disk write in UTF-8; each byte that is no part of a character is kept as `\xff`.
public func text(fromDisk bytes: [UInt8]) -> String { escaped(bytes) { _ in false } }

/// JSON in which no character is left that a terminal would not show: inside of strings, the only place where they may
/// stand, they become `\u009b`. Line feeds between the values stay.
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

/// Whether a character is not seen by itself: Unicode's control characters (Cc), separators of lines and paragraphs, and the
/// format characters that reorder text, hide it or cannot be seen. Those that join letters (U+200C, U+200D) stay: texts need
/// them.
private func isHidden(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 0..<0x20, 0x7f..<0xa0, 0xad, 0x61c, 0x180e, 0x200b, 0x200e...0x200f, 0x2028...0x202e, 0x2060...0x206f,
        0xfeff, 0xfff9...0xfffb,
        0xe0000...0xe007f:
        true
    default: false
    }
}

/// The character at an index of UTF-8 bytes, and how many bytes it takes; nil if what is there is no character
/// (The Unicode Standard, table 3-7).
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
