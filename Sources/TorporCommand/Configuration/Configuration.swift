// SPDX-License-Identifier: Apache-2.0
import Basics

/// The settings of /etc/torpor.conf: `key = value` in lines. torpor.conf(5) describes it.
///
/// This type knows the form of the file only. `ConfiguredCommand` knows the keys, which are the long options of
/// `torpor hibernate`.
struct Configuration: Equatable {
    /// A line with a setting.
    struct Setting: Equatable {
        let key: String
        let value: String
        /// The number of the line; the first one is 1.
        let line: Int
    }

    /// The file's path, for messages.
    let path: String
    private(set) var settings: [Setting] = []

    /// The maximum size of the file, in bytes.
    static let byteLimit = 64 << 10

    /// - Parameter path: for messages.
    /// - Throws: at the first line that is no setting, and if two lines have the same key.
    init(_ bytes: [UInt8], path: String) throws(Failure) {
        self.path = path
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Failure("read", path, "it is not text in UTF-8", remedy: "write it again: man torpor.conf")
        }
        // A file from another system may begin with a byte order mark, and its lines may end with CR LF.
        let lines = text.trimmingPrefix("\u{feff}").split(omittingEmptySubsequences: false) { $0.isNewline }
        for (number, line) in zip(1..., lines) {
            let line = Configuration.trimmed(line)
            if line.isEmpty || line.hasPrefix("#") { continue }
            settings.append(try setting(line, number))
        }
    }

    private func setting(_ line: Substring, _ number: Int) throws(Failure) -> Setting {
        guard let sign = line.firstIndex(of: "=") else {
            throw failure(number, "\(printable(String(line))) is no setting", "write it as KEY = VALUE")
        }
        let key = String(Configuration.trimmed(line[..<sign]))
        var value = Configuration.trimmed(line[line.index(after: sign)...])
        if value.count > 1, value.hasPrefix("\""), value.hasSuffix("\"") { value = value.dropFirst().dropLast() }
        guard !key.isEmpty else { throw failure(number, "there is no key before the =", "write it as KEY = VALUE") }
        guard !value.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7f }) else {
            throw failure(number, "the value of \(printable(key)) has a control character", "remove it")
        }
        if let other = settings.first(where: { $0.key == key }) {
            throw failure(
                number, "\(printable(key)) is set already in line \(other.line)", "remove one of the two lines")
        }
        return Setting(key: key, value: String(value), line: number)
    }

    private static func trimmed(_ text: Substring) -> Substring {
        let start = text.drop { $0 == " " || $0 == "\t" }
        guard let last = start.lastIndex(where: { $0 != " " && $0 != "\t" }) else { return "" }
        return start[...last]
    }

    /// A refusal of a line.
    func failure(_ line: Int, _ reason: String, _ remedy: String?) -> Failure {
        Failure("read", path, "line \(line): \(reason)", remedy: remedy)
    }

    /// The value of a key; nil if it is not set.
    func value(_ key: String) -> String? { settings.first { $0.key == key }?.value }
}
