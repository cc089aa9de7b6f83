// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation

@testable import MemoryImage

/// The second reader of the format, `Tests/FormatReader`, as a child process, and what it prints.
enum SecondReader {
    /// Debian's Python, whose packages have the codecs. Another one in PATH may lack them.
    private static let python = "/usr/bin/python3"
    private static let program = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../FormatReader/torpor_image.py").standardizedFileURL.path

    struct Result {
        let status: Int32
        let output, errors: String
    }

    /// Runs a program to its end.
    static func run(_ words: [String]) throws -> Result {
        let output = try PartitionFile(0), errors = try PartitionFile(0)
        let status = try run(words, into: output, errors: errors)
        return Result(
            status: status, output: String(decoding: try output.bytes, as: UTF8.self),
            errors: String(decoding: try errors.bytes, as: UTF8.self))
    }

    /// Runs a program whose output goes to a file; returns its exit status.
    static func run(_ words: [String], into output: PartitionFile, errors: PartitionFile) throws -> Int32 {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = words
        process.standardOutput = try FileHandle(forWritingTo: URL(filePath: output.path))
        process.standardError = try FileHandle(forWritingTo: URL(filePath: errors.path))
        try process.run()
        process.waitUntilExit()
        return process.terminationStatus
    }

    static func run(_ command: String, _ path: String) throws -> Result { try run([python, program, command, path]) }

    /// What a command prints; a failure with its refusal if it refuses.
    private static func output(_ command: String, _ file: PartitionFile) throws -> Data {
        let result = try run(command, file.path)
        guard result.status == 0 else { throw Failure(command, file.path, result.errors) }
        return Data(result.output.utf8)
    }

    static func show(_ file: PartitionFile) throws -> Shown {
        try JSONDecoder().decode(Shown.self, from: output("show", file))
    }

    /// The runs of pages of an image, by physical address, after all of it was verified.
    static func runs(_ file: PartitionFile) throws -> [Run] {
        try output("pages", file).split(separator: UInt8(ascii: "\n"))
            .map { try JSONDecoder().decode(Run.self, from: Data($0)) }
    }

    /// Why it does not read the image, in one sentence; nil if it does.
    static func refusal(_ file: PartitionFile) throws -> String? {
        let result = try run("pages", file.path)
        if result.status == 0 { return nil }
        let prefix = "torpor_image: \(file.path): "
        guard result.status == 1, result.output.isEmpty, result.errors.hasPrefix(prefix),
            result.errors.filter({ $0 == "\n" }).count == 1
        else { throw Failure("read", file.path, "the second reader failed: \(result.errors)") }
        return String(result.errors.dropFirst(prefix.count))
    }

    // MARK: What it prints

    /// A line of `pages`. Only stored runs have a checksum, that of their contents.
    struct Run: Decodable, Equatable {
        let firstFrame: UInt64
        let pages: UInt32
        let kind: String
        var xxh64: String?
    }

    /// The output of `show`.
    struct Shown: Decodable {
        struct Extent: Decodable, Equatable { let offset, size: UInt64 }

        struct Superblock: Decodable {
            let slot: Int
            let version, refusals: UInt32
            let generation, byteCount, time, features, contentsEnd: UInt64
            let uuid, label, state, imageUUID, codec, reason: String
            let level: Int32
            let isGivenUp: Bool
            let description, index: Extent
        }

        struct Counts: Decodable {
            let chunks, storedPages, otherPages, imageEnd, milliseconds: UInt64
            /// nil in version 1.
            let freePages: UInt64?
        }

        struct BootFiles: Decodable {
            struct File: Decodable {
                let size: Int
                let checksum: String
            }
            let kernel, initrd: File
            let parameters: String
        }

        let superblock: Superblock
        let counts: Counts
        /// nil if the partition keeps none.
        let bootFiles: BootFiles?
        /// nil if there is no complete image.
        let description: Description?
    }

    /// Fields that the image does not have are nil.
    struct Description: Decodable {
        struct Firmware: Decodable, Equatable {
            let first, end: UInt64
            let type: String
        }

        struct Partition: Decodable {
            let uuid: String
            let generation: UInt64
        }

        struct Area: Decodable, Equatable {
            let user, device: String
            let deviceByteCount, first, end, checksum: UInt64
        }

        struct Device: Decodable, Equatable {
            struct Fingerprint: Decodable, Equatable { let deviceByteCount, checksum: UInt64 }
            let user, identity: String
            let deviceByteCount: UInt64
            let walk: UInt32
            let fingerprints: [Fingerprint]
            let extents: [[UInt64]]
        }

        let session, host, kernelRelease, vmcoreInfo, reportKey, writer: String?
        let jumpBackEntry, processorCount, reportAddress, acpiChecksum, microcodeRevision: UInt64?
        let hasFiveLevelPaging: Bool?
        let backupRanges, memoryRanges, pluggedRanges: [[UInt64]]?
        let backupSources, processorFeatures: [UInt64]?
        let firmwareMap: [Firmware]?
        let partition: Partition?
        let watchedAreas: [Area]?
        let watchedDevices: [Device]?
    }
}
