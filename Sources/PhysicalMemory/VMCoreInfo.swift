// SPDX-License-Identifier: Apache-2.0
import Basics

/// The VMCOREINFO note, which describes a kernel's data structures in lines of `KEY=value` or `KIND(name)=value`
/// (Documentation/admin-guide/kdump/vmcoreinfo.rst).
public struct VMCoreInfo: Sendable {
    /// The note's name in an ELF core file.
    public static let noteName = "VMCOREINFO"

    private let lines: [(key: String, value: String)]

    public init(_ bytes: [UInt8]) {
        var lines: [(key: String, value: String)] = []
        for line in bytes.prefix(while: { $0 != 0 }).split(separator: UInt8(ascii: "\n")) {
            guard let equals = line.firstIndex(of: UInt8(ascii: "=")) else { continue }
            let key = String(decoding: line[..<equals], as: UTF8.self)
            lines.append((key, String(decoding: line[(equals + 1)...], as: UTF8.self)))
        }
        self.lines = lines
    }

    /// The value of a whole key, as text; nil if the note lacks it.
    public func text(_ key: String) -> String? { lines.first { $0.key == key }?.value }

    /// The virtual address in `SYMBOL(name)`: hexadecimal digits without a prefix.
    public func symbol(_ name: String) -> UInt64? { text("SYMBOL(\(name))").flatMap { parseHexadecimal($0) } }

    /// The value of a whole key: of `SIZE(page)` or `OFFSET(page.private)` in bytes, of `LENGTH(…)` in elements.
    public func unsigned(_ key: String) -> UInt64? { text(key).flatMap { parseNumber($0) } }

    /// The value of `NUMBER(name)`: decimal, possibly negative.
    public func number(_ name: String) -> Int64? {
        guard let value = text("NUMBER(\(name))") else { return nil }
        let isNegative = value.utf8.first == UInt8(ascii: "-")
        guard let digits = parseNumber(isNegative ? String(decoding: value.utf8.dropFirst(), as: UTF8.self) : value),
            let magnitude = Int64(exactly: digits)
        else { return nil }
        return isNegative ? -magnitude : magnitude
    }
}
