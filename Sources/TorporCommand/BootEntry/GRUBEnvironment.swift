// SPDX-License-Identifier: Apache-2.0
import Basics

/// The content of GRUB's environment block (grubenv): a header line, lines `name=value`, and `#` up to the end of the file.
///
/// GRUB writes to the blocks of the file at boot and cannot make it longer, so the size never changes.
struct GRUBEnvironment: Equatable {
    private let byteCount: Int
    /// The lines in front of the padding, with their line feeds; the header is the first.
    private var lines: [[UInt8]]

    private static let signature = Array("# GRUB Environment Block".utf8)
    private static let lineFeed = UInt8(ascii: "\n"), padding = UInt8(ascii: "#")

    /// - Parameter path: for messages.
    init(_ bytes: [UInt8], path: String) throws(Failure) {
        byteCount = bytes.count
        lines = []
        var line: [UInt8] = [], isEscaped = false
        for byte in bytes {
            line.append(byte)
            if byte == GRUBEnvironment.lineFeed, !isEscaped {
                lines.append(line)
                line = []
            }
            // A backslash escapes a line feed in a value, and itself.
            isEscaped = byte == UInt8(ascii: "\\") && !isEscaped
        }
        guard lines.first?.dropLast() == GRUBEnvironment.signature[...],
            line.allSatisfy({ $0 == GRUBEnvironment.padding })
        else {
            throw Failure(
                "read", path, "it is no environment block of GRUB",
                remedy: "make a new one with: grub-editenv \(path) create")
        }
    }

    /// The block as the file holds it.
    var bytes: [UInt8] {
        let text = lines.flatMap { $0 }
        return text + [UInt8](repeating: GRUBEnvironment.padding, count: max(0, byteCount - text.count))
    }

    /// The value of a variable, with escapes; nil if it is missing or empty.
    func value(_ name: String) -> String? {
        let start = Array("\(name)=".utf8)
        guard let line = lines.first(where: { $0.starts(with: start) }) else { return nil }
        let value = line.dropFirst(start.count).dropLast()
        return value.isEmpty ? nil : String(decoding: value, as: UTF8.self)
    }

    /// Sets a variable, or removes it.
    /// - Parameters:
    ///   - value: with escapes.
    ///   - path: for messages.
    mutating func set(_ name: String, _ value: String?, path: String) throws(Failure) {
        var changed = lines.filter { !$0.starts(with: Array("\(name)=".utf8)) }
        if let value { changed.append(Array("\(name)=\(value)\n".utf8)) }
        guard changed.reduce(0, { $0 + $1.count }) <= byteCount else {
            throw Failure(
                "write", path, "it has no room for \(name)=\(value ?? "")",
                remedy: "remove variables with: grub-editenv \(path) unset NAME")
        }
        lines = changed
    }
}
