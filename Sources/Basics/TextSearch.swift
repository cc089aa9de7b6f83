// SPDX-License-Identifier: Apache-2.0

/// Searching in ASCII text of the kernel's, byte by byte: without Unicode's rules, which /init does not have.
extension Collection where Element == UInt8 {
    /// Where a text begins in these bytes; nil if it is not in them.
    public func firstIndex(of text: String) -> Index? {
        let wanted = Array(text.utf8)
        var start = startIndex
        while start != endIndex {
            if self[start...].starts(with: wanted) { return start }
            start = index(after: start)
        }
        return wanted.isEmpty ? startIndex : nil
    }

    public func contains(_ text: String) -> Bool { firstIndex(of: text) != nil }

    /// What lies behind a text; nil if that text is not in these bytes.
    public func after(_ text: String) -> SubSequence? {
        firstIndex(of: text).map { self[index($0, offsetBy: text.utf8.count)...] }
    }

    /// What lies in front of a text; nil if that text is not in these bytes.
    public func before(_ text: String) -> SubSequence? { firstIndex(of: text).map { self[..<$0] } }

    /// These bytes as text that a terminal may be shown: control characters, and bytes beyond ASCII, become `?`.
    public var printable: String {
        String(decoding: map { (0x20..<0x7f).contains($0) ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
    }
}

extension String {
    /// Whether a text is in this one, compared byte by byte.
    public func containsBytes(_ text: String) -> Bool { utf8.contains(text) }
}

/// Text without white space at its end, as files of /sys and /proc have it.
public func trimmed(_ text: String) -> String {
    var characters = Array(text.utf8)
    while let last = characters.last, last <= UInt8(ascii: " ") { characters.removeLast() }
    return String(decoding: characters, as: UTF8.self)
}
