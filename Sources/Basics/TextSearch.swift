// SPDX-License-Identifier: Apache-2.0

/// Byte-wise search in ASCII text from the kernel. It needs none of Unicode's rules, which /init does not have.
extension Collection where Element == UInt8 {
    /// The index at which a text first begins; nil if these bytes do not contain it.
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

    /// The bytes after the first occurrence of a text; nil if these bytes do not contain it.
    public func after(_ text: String) -> SubSequence? {
        firstIndex(of: text).map { self[index($0, offsetBy: text.utf8.count)...] }
    }

    /// The bytes before the first occurrence of a text; nil if these bytes do not contain it.
    public func before(_ text: String) -> SubSequence? { firstIndex(of: text).map { self[..<$0] } }

    /// These bytes as text that is safe on a terminal: control characters and bytes above ASCII become `?`.
    public var printable: String {
        String(decoding: map { (0x20..<0x7f).contains($0) ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
    }
}

extension String {
    /// Whether this text contains another one, compared byte by byte.
    public func containsBytes(_ text: String) -> Bool { utf8.contains(text) }
}

/// Removes white space and control characters from the end of a text, such as the line feed of files in /sys and /proc.
public func trimmed(_ text: String) -> String {
    var characters = Array(text.utf8)
    while let last = characters.last, last <= UInt8(ascii: " ") { characters.removeLast() }
    return String(decoding: characters, as: UTF8.self)
}
