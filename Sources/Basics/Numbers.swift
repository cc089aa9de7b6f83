// SPDX-License-Identifier: Apache-2.0

/// A number in hexadecimal digits without a prefix, padded with zeros to at least `digits` digits.
public func hexadecimal(_ value: UInt64, digits: Int = 1) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
}

/// A half-open range of physical addresses in hexadecimal: `0x100000-0x8000000`.
public func hexadecimal(_ range: PhysicalRange) -> String {
    "0x\(hexadecimal(range.lowerBound))-0x\(hexadecimal(range.upperBound))"
}

/// Parses a whole text as a number: decimal, or hexadecimal after `0x`.
/// - Returns: nil for anything else and for numbers above 64 bits.
public func parseNumber(_ text: some StringProtocol) -> UInt64? {
    let characters = Array(text.utf8)
    let isHexadecimal =
        characters.count > 2 && characters[0] == UInt8(ascii: "0") && characters[1] | 0x20 == UInt8(ascii: "x")
    return parseDigits(characters.dropFirst(isHexadecimal ? 2 : 0), base: isHexadecimal ? 16 : 10)
}

/// Parses a whole text as hexadecimal digits without a prefix.
/// - Returns: nil for anything else and for numbers above 64 bits.
public func parseHexadecimal(_ text: some StringProtocol) -> UInt64? { parseDigits(Array(text.utf8)[...], base: 16) }

private func parseDigits(_ characters: ArraySlice<UInt8>, base: UInt64) -> UInt64? {
    guard !characters.isEmpty else { return nil }
    var value: UInt64 = 0
    for character in characters {
        guard let digit = hexadecimalValue(character), UInt64(digit) < base else { return nil }
        let (product, overflow) = value.multipliedReportingOverflow(by: base)
        let (sum, carry) = product.addingReportingOverflow(UInt64(digit))
        if overflow || carry { return nil }
        value = sum
    }
    return value
}

/// The whole part of a number, at most 10^18; 0 for negative numbers and for NaN.
public func wholePart(_ value: Double) -> UInt64 { value >= 1 ? UInt64(min(value, 1e18)) : 0 }

/// Parses a size such as `128M`, `4GiB` or `4096`, with binary units as in util-linux.
/// - Returns: bytes; nil for anything else and for sizes above 64 bits.
public func parseSize(_ text: String) -> UInt64? {
    let characters = Array(text.utf8)
    let digits = characters.prefix { hexadecimalValue($0).map { $0 < 10 } ?? false }
    guard let number = parseDigits(digits, base: 10) else { return nil }
    var suffix = Array(characters.dropFirst(digits.count))
    if suffix.count == 3, suffix[1] == UInt8(ascii: "i"), suffix[2] == UInt8(ascii: "B") { suffix.removeLast(2) }
    if suffix.isEmpty { return number }
    guard suffix.count == 1 else { return nil }
    let shift: UInt64
    switch suffix[0] | 0x20 {
    case UInt8(ascii: "k"): shift = 10
    case UInt8(ascii: "m"): shift = 20
    case UInt8(ascii: "g"): shift = 30
    case UInt8(ascii: "t"): shift = 40
    default: return nil
    }
    let (bytes, overflow) = number.multipliedReportingOverflow(by: 1 << shift)
    return overflow ? nil : bytes
}

/// A number of bytes in the largest binary unit that fits in it, with one decimal: `97.3 MiB`.
public func describe(bytes: UInt64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    var unit: UInt64 = 1024
    guard bytes >= unit else { return "\(bytes) B" }
    var i = 0
    while i + 1 < units.count, bytes / unit >= 1024 {
        unit *= 1024
        i += 1
    }
    let whole = bytes / unit
    let tenths = bytes % unit * 10 / unit
    return "\(whole).\(tenths) \(units[i])"
}

/// A duration, given in milliseconds, in seconds with one decimal: `4.1 s`.
public func describe(milliseconds: UInt64) -> String { "\(milliseconds / 1000).\(milliseconds % 1000 / 100) s" }
