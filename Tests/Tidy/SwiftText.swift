// SPDX-License-Identifier: Apache-2.0

/// Swift source, taken apart into code and prose. Both have the lines and columns (in bytes) of the whole.
struct SwiftText: Sendable {
    /// The source, with spaces in place of comments and of the text in string literals.
    let code: String
    /// Comments and the text in string literals, with spaces in place of all else.
    let prose: String

    private enum Mode {
        /// `depth` counts the parentheses that are open, in the file or in an interpolation.
        case code(depth: Int)
        case lineComment
        case blockComment(depth: Int)
        case string(hashes: Int, isMultiline: Bool)
    }

    init(_ text: String) {
        let bytes = Array(text.utf8)
        var code = bytes, prose = bytes
        var modes: [Mode] = [.code(depth: 0)]
        var i = 0

        func starts(_ text: StaticString, at index: Int) -> Bool {
            guard index + text.utf8CodeUnitCount <= bytes.count else { return false }
            return text.withUTF8Buffer { $0.elementsEqual(bytes[index..<index + $0.count]) }
        }
        func hashes(at index: Int) -> Int { bytes[index...].prefix { $0 == UInt8(ascii: "#") }.count }
        /// Moves on by a number of bytes that are code or prose.
        func take(_ count: Int, isCode: Bool) {
            for j in i..<min(i + count, bytes.count) where bytes[j] != UInt8(ascii: "\n") {
                if isCode { prose[j] = UInt8(ascii: " ") } else { code[j] = UInt8(ascii: " ") }
            }
            i += count
        }

        while i < bytes.count {
            let isNewline = bytes[i] == UInt8(ascii: "\n")
            switch modes.last ?? .code(depth: 0) {
            case .lineComment:
                if isNewline { modes.removeLast() }
                take(1, isCode: false)
            case .blockComment(let depth):
                if starts("/*", at: i) {
                    modes[modes.count - 1] = .blockComment(depth: depth + 1)
                    take(2, isCode: false)
                } else if starts("*/", at: i) {
                    modes.removeLast()
                    if depth > 1 { modes.append(.blockComment(depth: depth - 1)) }
                    take(2, isCode: false)
                } else {
                    take(1, isCode: false)
                }
            case .string(let count, let isMultiline):
                if bytes[i] == UInt8(ascii: "\\"), hashes(at: i + 1) >= count {
                    if i + 1 + count < bytes.count, bytes[i + 1 + count] == UInt8(ascii: "(") {
                        modes.append(.code(depth: 0))
                        take(2 + count, isCode: true)
                    } else {
                        take(2 + count, isCode: false)
                    }
                } else if isMultiline ? starts("\"\"\"", at: i) : starts("\"", at: i),
                    hashes(at: i + (isMultiline ? 3 : 1)) >= count
                {
                    modes.removeLast()
                    take((isMultiline ? 3 : 1) + count, isCode: true)
                } else {
                    // A literal of one line cannot go on: the text is not Swift.
                    if isNewline, !isMultiline { modes.removeLast() }
                    take(1, isCode: false)
                }
            case .code(let depth):
                let count = hashes(at: i)
                if starts("//", at: i) {
                    modes.append(.lineComment)
                    take(2, isCode: false)
                } else if starts("/*", at: i) {
                    modes.append(.blockComment(depth: 1))
                    take(2, isCode: false)
                } else if starts("\"", at: i + count) {
                    let isMultiline = starts("\"\"\"", at: i + count)
                    modes.append(.string(hashes: count, isMultiline: isMultiline))
                    take(count + (isMultiline ? 3 : 1), isCode: true)
                } else {
                    if bytes[i] == UInt8(ascii: "(") { modes[modes.count - 1] = .code(depth: depth + 1) }
                    if bytes[i] == UInt8(ascii: ")") {
                        if depth == 0, modes.count > 1 {
                            modes.removeLast()
                        } else {
                            modes[modes.count - 1] = .code(depth: depth - 1)
                        }
                    }
                    take(1, isCode: true)
                }
            }
        }
        self.code = String(decoding: code, as: UTF8.self)
        self.prose = String(decoding: prose, as: UTF8.self)
    }

    /// The names, keywords and numbers of the code, in order.
    var tokens: [Token] {
        let bytes = Array(code.utf8)
        var tokens: [Token] = []
        var line = 1, depth = 0, i = 0
        var previous: UInt8 = 0
        while i < bytes.count {
            let byte = bytes[i]
            guard Token.isPart(byte) else {
                switch byte {
                case UInt8(ascii: "\n"): line += 1
                case UInt8(ascii: "{"): depth += 1
                case UInt8(ascii: "}"): depth -= 1
                default: break
                }
                if byte > UInt8(ascii: " "), byte != UInt8(ascii: "`") { previous = byte }
                i += 1
                continue
            }
            let end = bytes[i...].firstIndex { !Token.isPart($0) } ?? bytes.endIndex
            let next = bytes[end...].first { $0 > UInt8(ascii: " ") && $0 != UInt8(ascii: "`") }
            tokens.append(
                Token(
                    text: String(decoding: bytes[i..<end], as: UTF8.self), line: line, depth: depth,
                    before: Character(UnicodeScalar(previous)), after: next.map { Character(UnicodeScalar($0)) }))
            previous = bytes[end - 1]
            i = end
        }
        return tokens
    }
}

/// A name, a keyword or a number.
struct Token: Sendable {
    let text: String
    /// Counted from 1.
    let line: Int
    /// How many braces are open.
    let depth: Int
    /// The characters beside it that are no white space. Of another token, any character.
    let before: Character
    let after: Character?

    static func isPart(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), 0x80...0xff:
            true
        default: false
        }
    }
}

/// A name that code declares.
struct Declaration: Sendable {
    enum Kind: Sendable { case type, function, value }
    let name: String
    let kind: Kind
    let line: Int
    let depth: Int
    /// Whether no other file can use it.
    let isPrivate: Bool

    private static let keywords: [String: Kind] = [
        "struct": .type, "class": .type, "enum": .type, "actor": .type, "protocol": .type, "typealias": .type,
        "associatedtype": .type, "func": .function, "let": .value, "var": .value, "case": .value,
    ]
    private static let modifiers: Set<String> = [
        "public", "internal", "package", "final", "static", "class", "mutating", "nonmutating", "nonisolated", "unsafe",
        "indirect", "lazy", "override", "weak", "consuming", "borrowing", "discardableResult", "inlinable", "inline",
        "always", "never", "set", "private", "fileprivate",
    ]

    /// All declarations in the tokens of a file, those of members and of local names too.
    static func all(in tokens: [Token]) -> [Declaration] {
        tokens.indices.compactMap { index in
            guard let kind = keywords[tokens[index].text], tokens[index].before != ".", index + 1 < tokens.count,
                keywords[tokens[index + 1].text] == nil, tokens[index + 1].before.isLetter,
                tokens[index].after.map({ $0.isLetter || $0 == "_" }) == true
            else { return nil }
            let before = tokens[..<index].reversed().prefix { modifiers.contains($0.text) }
            return Declaration(
                name: tokens[index + 1].text, kind: kind, line: tokens[index].line, depth: tokens[index].depth,
                isPrivate: before.contains { $0.text == "private" && $0.after != "(" || $0.text == "fileprivate" })
        }
    }
}
