// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Linux
import MemoryImage
import Testing

@testable import Hibernation

func contains(_ ranges: [DeviceRange], _ wanted: DeviceRange) -> Bool {
    ranges.contains { $0.lowerBound <= wanted.lowerBound && $0.upperBound >= wanted.upperBound }
}

func overlaps(_ ranges: [DeviceRange], _ wanted: DeviceRange) -> Bool {
    ranges.contains { $0.overlaps(wanted) }
}

/// A file system made by its own tool: where the places are, its own marks stand.
func withFileSystem(_ command: String, _ body: (FileSystemReader) throws -> Void) throws {
    let path = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    let process = Process()
    process.executableURL = URL(filePath: "/bin/sh")
    process.arguments = ["-ec", "truncate -s 400M \(path); \(command) \(path) >/dev/null 2>&1"]
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
    let reader = try FileSystemReader(File(path), byteCount: 400 << 20)
    try body(reader)
}
