// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Testing

@testable import Hibernation

/// mkinitramfs.sh, run with files as makers of processors and boards have them.
@Suite struct MakeInitramfsTests {
    private let folder: TemporaryFolder
    private static let script = URL(filePath: #filePath).deletingLastPathComponent().appending(
        path: "../../mkinitramfs.sh")

    init() throws {
        folder = try TemporaryFolder()
        // The header of a static program for x86_64; nobody runs it.
        var program = Array("\u{7f}ELF".utf8) + [2, 1, 1] + [UInt8](repeating: 0, count: 57)
        program.put(UInt16(2), at: 16)
        program.put(UInt16(62), at: 18)
        program.put(UInt32(1), at: 20)
        program.put(UInt16(64), at: 52)
        try write(program, "init")
    }

    private func write(_ bytes: [UInt8], _ name: String) throws {
        let url = URL(filePath: folder.path(name))
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: url)
    }

    /// Runs the script.
    /// - Returns: its exit status and what it wrote on standard error.
    private func run(_ words: [String], output: String = "rootfs.gz") throws -> (status: Int32, error: String) {
        let process = Process(), errors = Pipe()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments =
            [Self.script.path, "--init", folder.path("init"), "--output", folder.path(output)] + words
        process.standardError = errors
        try process.run()
        let text = String(decoding: try errors.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, text)
    }

    private func bytes(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(filePath: folder.path(name))))
    }

    /// Where the compressed part begins.
    private func compressedStart(_ bytes: [UInt8]) -> Int? {
        (0..<max(0, bytes.count - 2)).first { bytes[$0] == 0x1f && bytes[$0 + 1] == 0x8b && bytes[$0 + 2] == 8 }
    }

    private static func intel(_ fill: UInt8) -> [UInt8] {
        var bytes = [UInt8](repeating: fill, count: 2048)
        bytes.put(UInt32(1), at: 0)
        bytes.put(UInt32(1), at: 20)
        return bytes
    }
    private static let amd: [UInt8] = Array("DMA\0".utf8) + [UInt8](repeating: 3, count: 60)

    private static func table(_ signature: String) -> [UInt8] {
        var bytes = Array(signature.utf8) + [UInt8](repeating: 0, count: 40)
        bytes.put(UInt32(bytes.count), at: 4)
        bytes[9] = UInt8(truncatingIfNeeded: 256 - bytes.reduce(0) { $0 + Int($1) } % 256)
        return bytes
    }

    @Test func putsMicrocodeInFront() throws {
        try write(Self.intel(7), "ucode/06-8e-09")
        try write(Self.intel(9), "ucode/06-8e-0a")
        try write(Array("no microcode".utf8), "ucode/README")
        try write(Self.amd, "amd.bin")
        let words = ["--microcode", folder.path("ucode"), "--microcode", folder.path("amd.bin")]
        let result = try run(words)
        try #require(result.status == 0, "\(result.error)")
        let image = try bytes("rootfs.gz")
        #expect(EarlyInitrd(image) == EarlyInitrd(microcode: [.intel, .amd]))
        let start = try #require(compressedStart(image))
        #expect(start > 0 && start % 4 == 0)
        // Both of Intel's, one behind the other, as the kernel looks through them.
        #expect(Data(image[..<start]).range(of: Data(Self.intel(7) + Self.intel(9))) != nil)
        #expect(Data(image[..<start]).range(of: Data(Self.amd)) != nil)
        // The rest is what it is without them, and everything is the same in another build.
        try #require(try run([], output: "plain.gz").status == 0)
        #expect(try bytes("plain.gz") == Array(image[start...]))
        try #require(try run(words, output: "again.gz").status == 0)
        #expect(try bytes("again.gz") == image)
    }

    @Test func putsACPITablesInFront() throws {
        try write(Self.table("DSDT"), "tables/dsdt.aml")
        try write(Self.table("SSDT"), "tables/ssdt1.aml")
        try write(Array("DefinitionBlock".utf8), "tables/dsdt.dsl")
        let result = try run(["--acpi-tables", folder.path("tables")])
        try #require(result.status == 0, "\(result.error)")
        let image = try bytes("rootfs.gz")
        #expect(EarlyInitrd(image) == EarlyInitrd(hasACPITables: true))
        for signature in ["DSDT", "SSDT"] { #expect(Data(image).range(of: Data(Self.table(signature))) != nil) }
        #expect(Data(image).range(of: Data("DefinitionBlock".utf8)) == nil)
    }

    /// Kernel A's own initrd, or a rootfs.gz of ours, has both in front.
    @Test func takesBothOutOfAnInitrd() throws {
        try write(Self.intel(7), "intel.bin")
        try write(Self.table("SSDT"), "ssdt.aml")
        let first = try run(["--microcode", folder.path("intel.bin"), "--acpi-tables", folder.path("ssdt.aml")])
        try #require(first.status == 0, "\(first.error)")
        let second = try run(
            ["--acpi-tables", folder.path("rootfs.gz"), "--microcode", folder.path("rootfs.gz")], output: "second.gz")
        try #require(second.status == 0, "\(second.error)")
        #expect(try bytes("second.gz") == bytes("rootfs.gz"))
    }

    /// As initramfs-tools of Debian builds it: one archive for each maker, and one for ACPI tables, each with zeros behind it.
    @Test func takesMicrocodeOutOfEveryEarlyArchive() throws {
        let trailer = archiveEntry("TRAILER!!!", []), path = "kernel/x86/microcode/"
        func archive(_ name: String, _ content: [UInt8], zeros: Int) -> [UInt8] {
            archiveEntry("kernel", [], mode: 0o040755) + archiveEntry(name, content) + trailer
                + [UInt8](repeating: 0, count: zeros)
        }
        let late = archive(path + "GenuineIntel.bin", Self.intel(1), zeros: 0)
        try write(
            archive(path + "AuthenticAMD.bin", Self.amd, zeros: 4)
                + archive("kernel/firmware/acpi/ssdt.aml", Self.table("SSDT"), zeros: 1024)
                // Another file of the same name is not looked at, nor one below a folder, nor what is behind.
                + archive(path + "GenuineIntel.bin", Self.intel(7), zeros: 0)
                + archive(path + "GenuineIntel.bin", Self.intel(3), zeros: 8)
                + archive(path + "x/GenuineIntel.bin", Self.intel(5), zeros: 0) + [0x1f, 0x8b, 8, 0] + late, "initrd")
        let words = ["--microcode", folder.path("initrd"), "--acpi-tables", folder.path("initrd")]
        let result = try run(words)
        try #require(result.status == 0, "\(result.error)")
        let image = try bytes("rootfs.gz")
        #expect(EarlyInitrd(image) == EarlyInitrd(microcode: [.intel, .amd], hasACPITables: true))
        for part in [Self.amd, Self.intel(7), Self.table("SSDT")] { #expect(Data(image).range(of: Data(part)) != nil) }
        for fill in [1, 3, 5] as [UInt8] { #expect(Data(image).range(of: Data(Self.intel(fill))) == nil) }
    }

    /// `torpor hibernate` knows what the script makes, with all that it can put in, and nothing more.
    @Test func writesTheMarkerOfTorpor() throws {
        try write(Self.intel(7), "intel.bin")
        try write(Array("module".utf8), "modules/a.ko")
        for words in [
            [], ["--microcode", folder.path("intel.bin")], ["--add", folder.path("modules") + ":/lib/modules"],
        ] {
            let result = try run(words)
            try #require(result.status == 0, "\(result.error)")
            let image = try bytes("rootfs.gz")
            #expect(RootfsMarker.member(in: image)?.upperBound == image.count)
            try RootfsMarker.require(image, path: "rootfs.gz")
            #expect(throws: Failure.self) { try RootfsMarker.require(image + image, path: "rootfs.gz") }
            // Others unpack it as before.
            let start = try #require(compressedStart(image))
            try write(Array(image[start...]), "packed.gz")
            let gzip = Process()
            gzip.executableURL = URL(filePath: "/bin/gzip")
            gzip.arguments = ["-t", folder.path("packed.gz")]
            try gzip.run()
            gzip.waitUntilExit()
            #expect(gzip.terminationStatus == 0)
        }
    }

    @Test func refusesFilesThatTheKernelWouldIgnore() throws {
        try write(Array("text".utf8) + [UInt8](repeating: 1, count: 60), "text")
        try write(Self.intel(7).dropLast(1), "cut")
        try write([1, 0, 0, 0] + [UInt8](repeating: 0, count: 60), "other")
        var damaged = Self.table("DSDT")
        damaged[20] ^= 1
        try write(damaged, "damaged.aml")
        try write(Self.table("DSDT"), "a-name-of-18-bytes")
        try write([], "empty/file")
        try #require(try run([], output: "plain.gz").status == 0)
        for (option, name, text) in [
            ("--microcode", "text", "it is no microcode"), ("--microcode", "cut", "cut off"),
            ("--microcode", "other", "it is no microcode"), ("--microcode", "missing", "there is no such file"),
            ("--microcode", "empty", "there is no microcode in it"), ("--microcode", "plain.gz", "it is no microcode"),
            ("--acpi-tables", "text", "it is no compiled ACPI table"),
            ("--acpi-tables", "damaged.aml", "it is no compiled"),
            ("--acpi-tables", "a-name-of-18-bytes", "at most 17 bytes"), ("--acpi-tables", "missing", "no such file"),
            ("--acpi-tables", "empty", "no compiled ACPI table in it"),
        ] {
            let result = try run([option, folder.path(name)], output: "refused.gz")
            #expect(result.status == 1 && result.error.contains(text), "\(option) \(name): \(result.error)")
            #expect(!FileManager.default.fileExists(atPath: folder.path("refused.gz")))
        }
    }
}
