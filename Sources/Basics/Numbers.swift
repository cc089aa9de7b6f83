// SPDX-License-Identifier: Apache-2.0

/// A number as hexadecimal digits without prefix, with leading zeros up to `digits`.
public func hexadecimal(_ value: UInt64, digits: Int = 1) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
}

/// Half-open physical addresses as the kernel's log writes them: `0x100000-0x8000000`.
public func hexadecimal(_ range: PhysicalRange) -> String {
    "0x\(hexadecimal(range.lowerBound))-0x\(hexadecimal(range.upperBound))"
}

/// The number that the text writes in full, decimal or, with `0x` in front, hexadecimal; nil for anything else and for
/// numbers above 64 bits.
public func parseNumber(_ text: some StringProtocol) -> UInt64? {
    let characters = Array(text.utf8)
    let isHexadecimal =
        characters.count > 2 && characters[0] == UInt8(ascii: "0") && characters[1] | 0x20 == UInt8(ascii: "x")
    return parseDigits(characters.dropFirst(isHexadecimal ? 2 : 0), base: isHexadecimal ? 16 : 10)
}

/// The number in hexadecimal digits without prefix; nil for anything else.
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

/// The bytes that a size such as `128M`, `4GiB` or `4096` means (binary units, as in util-linux); nil for anything else.
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

/// Bytes in the largest binary unit that leaves at least one, with one decimal: `97.3 MiB`.
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

/// A duration in milliseconds as seconds with one decimal: `4.1 s`.
public func describe(milliseconds: UInt64) -> String { "\(milliseconds / 1000).\(milliseconds % 1000 / 100) s" }
