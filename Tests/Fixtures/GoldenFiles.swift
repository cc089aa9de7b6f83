// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation

/// The images in Tests/Golden.
public enum GoldenFiles {
    public static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Golden")
        .standardizedFileURL
    public static let suffix = ".img.gz"

    /// The names of all images, without their suffix: `v1-zstd`.
    public static let names: [String] =
        ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [])
        .filter { $0.hasSuffix(suffix) }.map { String($0.dropLast(suffix.count)) }.sorted()

    /// The partition in an image.
    public static func bytes(of name: String) throws -> [UInt8] {
        let file = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        try gzip(["-dc", folder.appending(path: name + suffix).path], into: file.path)
        return Array(try Data(contentsOf: file))
    }

    /// Runs gzip, whose output goes to a file.
    public static func gzip(_ arguments: [String], into path: String) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["gzip"] + arguments
        try Data().write(to: URL(filePath: path))
        process.standardOutput = try FileHandle(forWritingTo: URL(filePath: path))
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failure("run", "gzip", "its exit status is \(process.terminationStatus)")
        }
    }
}
