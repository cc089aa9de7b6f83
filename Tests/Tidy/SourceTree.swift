// SPDX-License-Identifier: Apache-2.0
import Foundation

/// A text file of the repository.
struct SourceFile: Sendable {
    /// From the top of the repository, without a slash in front.
    let path: String
    let text: String
    /// The file as Swift; nil for other files.
    let swift: SwiftText?
    /// The names, keywords and numbers of Swift.
    let tokens: [Token]

    init(_ path: String, _ text: String) {
        self.path = path
        self.text = text
        swift = path.hasSuffix(".swift") ? SwiftText(text) : nil
        tokens = swift?.tokens ?? []
    }

    /// The last component of the path, without what follows its last dot.
    var stem: String {
        let name = path.split(separator: "/").last ?? ""
        return String(name.lastIndex(of: ".").map { name[..<$0] } ?? name)
    }

    /// The path of the folder that has the file; empty for the top.
    var folder: String { path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "" }

    var isSwift: Bool { swift != nil }
    var isMarkdown: Bool { path.hasSuffix(".md") }

    var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }
}

/// The repository that these tests were built from. It is read once.
enum SourceTree {
    private static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// Folders at the top that people write in; the others are products of a build.
    private static let folders = [
        ".ci", "Benchmarks", "Sources", "Tests", "dist", "docs", "initramfs", "man", "scripts",
    ]
    /// Input for tests, in which any bytes may be.
    private static let data = ["Tests/Fuzz/Corpus/", "Tests/Golden/"]

    /// The paths of all files and folders, from the top of the repository.
    static let paths: Set<String> = {
        let manager = FileManager.default
        let top = (try? manager.contentsOfDirectory(atPath: root.path)) ?? []
        var paths = Set(top.filter { !$0.hasPrefix(".") && $0 != "build" })
        for folder in folders {
            guard let all = manager.enumerator(atPath: root.appending(path: folder).path) else { continue }
            paths.insert(folder)
            for case let path as String in all { paths.insert("\(folder)/\(path)") }
        }
        return paths
    }()

    /// All text files, in the order of their paths.
    static let files: [SourceFile] = paths.sorted().compactMap { path in
        guard path.hasSuffix(".md") || !data.contains(where: path.hasPrefix) else { return nil }
        return (try? String(contentsOf: root.appending(path: path), encoding: .utf8)).map { SourceFile(path, $0) }
    }

    static let swiftFiles = files.filter(\.isSwift)
    static let documents = files.filter(\.isMarkdown)
}
