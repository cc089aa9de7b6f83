// SPDX-License-Identifier: Apache-2.0
import Basics
import FoundationEssentials

/// A JSON object with the key `version` beside the keys of its content. docs/json.md describes all of them.
struct VersionedJSON<Content: Encodable>: Encodable {
    let content: Content

    init(_ content: Content) { self.content = content }

    private enum CodingKeys: String, CodingKey { case version }

    func encode(to encoder: any Encoder) throws {
        try content.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(jsonVersion, forKey: .version)
    }

    /// The object as text with sorted keys. Characters that a terminal would not show are escapes.
    func text() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return printable(json: String(decoding: try encoder.encode(self), as: UTF8.self))
    }
}

/// The version of the JSON that commands print. Within a version keys are only added; a key that is removed, or means something
/// else, needs a new version.
let jsonVersion = 1
