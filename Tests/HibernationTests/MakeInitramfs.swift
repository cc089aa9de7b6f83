// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation

/// mkinitramfs.sh in a folder of its own, with an /init that nobody runs.
struct MakeInitramfs {
    static let scripts = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
    let folder: TemporaryFolder
    /// The environment of the script; nil for that of the tests.
    var environment: [String: String]?

    init() throws {
        folder = try TemporaryFolder()
        // The header of a static program for x86_64.
        var program = Array("\u{7f}ELF".utf8) + [2, 1, 1] + [UInt8](repeating: 0, count: 57)
        program.put(UInt16(2), at: 16)
        program.put(UInt16(62), at: 18)
        program.put(UInt32(1), at: 20)
        program.put(UInt16(64), at: 52)
        try write(program, "init")
    }

    func path(_ name: String) -> String { folder.path(name) }

    /// Writes a file of the folder.
    func write(_ bytes: [UInt8], _ name: String) throws {
        let url = URL(filePath: folder.path(name))
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: url)
    }

    func write(_ text: String, _ name: String) throws { try write(Array(text.utf8), name) }

    /// Makes a symbolic link of the folder.
    func link(_ name: String, to target: String) throws {
        let url = URL(filePath: folder.path(name))
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(atPath: url.path, withDestinationPath: target)
    }

    func bytes(_ name: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(filePath: folder.path(name)))) }

    func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: folder.path(name)) }

    /// Runs mkinitramfs.sh.
    /// - Returns: its exit status and what it wrote on standard error.
    func run(_ words: [String], output: String = "rootfs.gz") throws -> (status: Int32, error: String) {
        let result = try runShell(
            [Self.scripts.path + "/mkinitramfs.sh", "--init", path("init"), "--output", path(output)] + words)
        return (result.status, result.error)
    }

    /// Runs a shell script.
    func runShell(_ words: [String]) throws -> (status: Int32, output: String, error: String) {
        let process = Process(), outputs = Pipe(), errors = Pipe()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = words
        process.environment = environment
        process.standardOutput = outputs
        process.standardError = errors
        try process.run()
        let error = try errors.fileHandleForReading.readToEnd() ?? Data()
        let output = try outputs.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return (
            process.terminationStatus, String(decoding: output, as: UTF8.self), String(decoding: error, as: UTF8.self)
        )
    }

    /// Where the compressed part of a rootfs.gz begins.
    static func compressedStart(_ bytes: [UInt8]) -> Int? {
        (0..<max(0, bytes.count - 2)).first { bytes[$0] == 0x1f && bytes[$0 + 1] == 0x8b && bytes[$0 + 2] == 8 }
    }

    /// The files of cpio archives in newc format, one behind the other, by name.
    static func files(_ archives: ArraySlice<UInt8>) -> [String: [UInt8]] {
        var files: [String: [UInt8]] = [:]
        var offset = archives.startIndex
        func field(_ number: Int) -> Int {
            let start = offset + 6 + number * 8
            return Int(String(decoding: archives[start..<start + 8], as: UTF8.self), radix: 16) ?? 0
        }
        while offset + 110 <= archives.endIndex {
            if archives[offset] == 0 {
                offset += 1
                continue
            }
            let name = offset + 110, content = (name + field(11) + 3) / 4 * 4
            let end = content + field(6)
            guard end <= archives.endIndex else { break }
            if field(1) & 0o170000 == 0o100000 {
                files[String(decoding: archives[name..<name + field(11) - 1], as: UTF8.self)] = Array(
                    archives[content..<end])
            }
            offset = end
        }
        return files
    }

    /// The files in the uncompressed archives of a rootfs.gz, and those in the compressed one.
    func contents(_ name: String = "rootfs.gz") throws -> (early: [String: [UInt8]], packed: [String: [UInt8]]) {
        let image = try bytes(name), start = Self.compressedStart(image) ?? image.count
        try write(Array(image[start...]), "packed.gz")
        let result = try runShell(["-c", "gzip -dc <\"$1\" >\"$2\"", "sh", path("packed.gz"), path("packed.cpio")])
        guard result.status == 0 else { throw CocoaError(.fileReadCorruptFile) }
        return (Self.files(image[..<start]), Self.files(try bytes("packed.cpio")[...]))
    }
}
