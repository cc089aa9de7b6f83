// SPDX-License-Identifier: Apache-2.0

/// Names and phrases that were given up for the ones that the field uses, and names that no public file should have.
enum RetiredWords {
    /// Names in code that were given up as a whole, and what stands in their place.
    private static let names: [String: String] = [
        "Settings": "KernelParameters", "HeldMemory": "MemoryReservation", "HeldSignals": "BlockedSignals",
        "Guarded": "Locked", "WorkList": "WorkQueue", "PageSelection": "FreePageFilter",
        "FirmwareMemoryRange": "FirmwareRange",
        // The testing library waits for any child, and for ever beside a test that leaves one behind.
        "processExitsWith": "a plain call, as a trap ends the test program anyway",
        "tell": "report, log or print", "told": "report, log or print",
    ]
    /// Words within names, in the order in which they follow each other.
    private static let nameParts: [String: String] = [
        "way home": "jump back", "way back": "jump back", "patience": "progress timeout", "swapped out": "relocated",
        "kept pages": "per-CPU lists", "page selection": "free-page filter",
    ]
    /// Phrases of comments, messages and documents.
    private static let phrases: [String: String] = [
        "way home": "jump back", "rooms": "modules", "patience": "progress timeout", "who only": "a subject",
        "what it is that": "a noun", "is there to": "a verb", "kept pages": "per-CPU lists",
        "not to be seen": "cannot be seen",
        "page selection": "free-page filter",
    ]
    /// Services through which a workplace may fetch packages and images: no file should depend on one.
    private static let places = [
        "deb.debian.org", "security.debian.org", "ghcr.io", "quay.io", "docker.io", "index.crates.io",
    ]

    /// The files that have the lists and their tests.
    private static let exempt = ["Tests/Tidy/RetiredWords.swift", "Tests/Tidy/RetiredWordsTests.swift"]

    static func violations(_ file: SourceFile) -> [Violation] {
        if exempt.contains(file.path) { return [] }
        let places = words(in: file.text).filter { Self.places.contains($0.text) }.map {
            Violation(
                file.path, $0.line,
                "\($0.text) is one place among many: leave the choice to the configuration of the system")
        }
        return places + phraseViolations(file.path, words(in: file.swift?.prose ?? file.text))
            + file.tokens.compactMap { nameViolation(file.path, $0) }
    }

    private static func nameViolation(_ path: String, _ token: Token) -> Violation? {
        if let better = names[token.text] {
            return Violation(path, token.line, "the name \(token.text) was given up: use \(better)")
        }
        let parts = parts(of: token.text)
        guard parts.contains(where: firstParts.contains) else { return nil }
        let spaced = " " + parts.joined(separator: " ") + " "
        return nameParts.first { spaced.contains(" \($0.key) ") }.map { part, better in
            Violation(path, token.line, "\"\(part)\" in the name \(token.text) was given up: use \"\(better)\"")
        }
    }

    private static func phraseViolations(_ path: String, _ words: [Word]) -> [Violation] {
        words.indices.flatMap { index in
            (phrasesByWord[words[index].text] ?? []).filter { phrase in
                phrase.elementsEqual(words[index...].prefix(phrase.count).lazy.map(\.text))
            }.map { phrase in
                let phrase = phrase.joined(separator: " ")
                return Violation(
                    path, words[index].line, "\"\(phrase)\" was given up: use \(phrases[phrase] ?? "another word")")
            }
        }
    }

    private static let firstParts = Set(nameParts.keys.map { $0.prefix { $0 != " " } }.map(String.init))
    private static let phrasesByWord = Dictionary(
        grouping: phrases.keys.sorted().map { $0.split(separator: " ").map(String.init) }, by: { $0[0] })

    /// A word of prose in small letters. It may have dots within, as the name of a host or of a parameter has.
    private struct Word {
        let text: String
        let line: Int
    }

    private static func words(in text: String) -> [Word] {
        func isPart(_ byte: UInt8) -> Bool {
            Token.isPart(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-")
        }
        func isDot(_ byte: UInt8) -> Bool { byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-") }
        let bytes = Array(text.utf8)
        var words: [Word] = []
        var line = 1, i = 0
        while i < bytes.count {
            guard isPart(bytes[i]) else {
                if bytes[i] == UInt8(ascii: "\n") { line += 1 }
                i += 1
                continue
            }
            var end = i + 1
            while end < bytes.count, isPart(bytes[end]) { end += 1 }
            var word = bytes[i..<end]
            while let first = word.first, isDot(first) { word.removeFirst() }
            while let last = word.last, isDot(last) { word.removeLast() }
            if !word.isEmpty {
                words.append(Word(text: String(decoding: word, as: UTF8.self).lowercased(), line: line))
            }
            i = end
        }
        return words
    }

    /// The words that a name in camel case is made of, in small letters.
    static func parts(of name: String) -> [String] {
        var parts: [String] = [], part = ""
        for character in name {
            if character.isUppercase || character == "_", !part.isEmpty {
                parts.append(part)
                part = ""
            }
            if character != "_" { part += character.lowercased() }
        }
        return part.isEmpty ? parts : parts + [part]
    }
}
