// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Hibernation
import MemoryImage
import Testing

@testable import TorporCommand

/// docs/json.md, and the version that each object has.
///
/// `TORPOR_WRITE_EXAMPLES=1 swift test --disable-xctest --filter VersionedJSONTests` writes the examples of the document anew.
@Suite struct VersionedJSONTests {
    private struct Nested: Encodable {
        let version: Int
        let inner: [String: Int]
    }

    @Test func putsTheVersionBesideTheKeysOfItsContent() throws {
        #expect(try VersionedJSON(["b": 1, "a": 2]).text() == "{\n  \"a\" : 2,\n  \"b\" : 1,\n  \"version\" : 1\n}")
        #expect(try VersionedJSON(["a": "/dev/x\u{9b}"]).text().contains("\"a\" : \"/dev/x\\u009b\""))
        let nested = try VersionedJSON(Nested(version: 7, inner: ["a": 1])).text()
        #expect(nested.contains("\"version\" : 1") && !nested.contains("7"))
    }

    /// Each example in the document is what the command prints.
    @Test func documentHasTheOutputOfEachExample() throws {
        let file = Repository.file("docs/json.md")
        let document = try String(contentsOf: file, encoding: .utf8)
        var new = document
        var shown: [String] = []
        for match in document.matches(of: #/```console\n\$ (torpor [^\n]*)\n(.*?)```/#.dotMatchesNewlines()) {
            let commandLine = String(match.1)
            let example = try #require(JSONExample.all.first { $0.commandLine == commandLine }, "\(commandLine)")
            let output = try example.output()
            shown.append(commandLine)
            new = new.replacing(match.0, with: "```console\n$ \(commandLine)\n\(output)```")
        }
        if ProcessInfo.processInfo.environment["TORPOR_WRITE_EXAMPLES"] != nil {
            try Data(new.utf8).write(to: file)
        }
        #expect(new == document)
        #expect(shown == JSONExample.all.filter { $0.isInDocument }.map { $0.commandLine })
    }

    /// The tables of the document have exactly the keys that commands print, with the right types.
    @Test func documentHasEveryKeyWithItsType() throws {
        let document = try String(contentsOf: Repository.file("docs/json.md"), encoding: .utf8)
        var documented: [String: Set<String>] = [:]
        for match in document.matches(of: #/\n\| `([A-Za-z]+)` \| ([^|]+) \|/#) {
            documented[String(match.1), default: []].insert(String(match.2))
        }
        var printed: [String: Set<String>] = [:]
        for example in JSONExample.all {
            let json = try JSONSerialization.jsonObject(with: Data(try example.output().utf8))
            let object = try #require(json as? [String: Any])
            #expect(object["version"] as? Int == jsonVersion, "\(example.commandLine)")
            collect(object, &printed)
        }
        #expect(Set(documented.keys) == Set(printed.keys))
        for (key, types) in printed {
            #expect(documented[key] == types, "\(key)")
        }
    }

    private func collect(_ object: [String: Any], _ types: inout [String: Set<String>]) {
        for (key, value) in object {
            // An empty array does not tell the type of its elements.
            if let array = value as? [Any], array.isEmpty { continue }
            types[key, default: []].insert(type(of: value))
            for inner in (value as? [Any]) ?? [value] {
                if let inner = inner as? [String: Any] { collect(inner, &types) }
            }
        }
    }

    private func type(of value: Any) -> String {
        switch value {
        case is String: "string"
        case let number as NSNumber: String(cString: number.objCType) == "c" ? "boolean" : "number"
        case is [String: Any]: "object"
        case is [String]: "array of strings"
        case is [[String: Any]]: "array of objects"
        default: "unknown"
        }
    }
}
