// SPDX-License-Identifier: Apache-2.0

/// The words of a kernel command line, as kernel/params.c splits them: at white space outside double quotes; the quotes
/// around a value are not part of it. What stands behind `--` is for init, and is none of them
/// (Documentation/admin-guide/kernel-parameters.rst).
public struct KernelCommandLine: Sendable {
    public let words: [String]

    public init(_ text: String) {
        var words: [String] = []
        var word: [UInt8] = []
        var isQuoted = false
        var isWord = false
        for character in text.utf8 {
            let isSpace = character == UInt8(ascii: " ") || (9...13).contains(character)
            if character == UInt8(ascii: "\"") {
                isQuoted.toggle()
                isWord = true
            } else if isSpace && !isQuoted {
                if isWord { words.append(String(decoding: word, as: UTF8.self)) }
                word = []
                isWord = false
            } else {
                word.append(character)
                isWord = true
            }
        }
        if isWord { words.append(String(decoding: word, as: UTF8.self)) }
        self.words = Array(words.prefix { $0 != "--" })
    }

    /// Whether a word stands there by itself.
    public func contains(_ word: String) -> Bool { words.contains(word) }

    /// All values of `name=value`, in order.
    public func values(_ name: String) -> [String] {
        let prefix = Array("\(name)=".utf8)
        return words.filter { $0.utf8.starts(with: prefix) }
            .map { String(decoding: $0.utf8.dropFirst(prefix.count), as: UTF8.self) }
    }

    /// The value of the last `name=value`: the kernel lets the last one count.
    public func value(_ name: String) -> String? { values(name).last }
}
