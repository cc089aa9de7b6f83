// SPDX-License-Identifier: Apache-2.0
import Basics
import Fixtures
import Foundation
import Testing

@testable import Hibernation

/// mkinitramfs.sh, run with files as makers of processors and boards have them.
@Suite struct MakeInitramfsTests {
    private let script: MakeInitramfs

    init() throws { script = try MakeInitramfs() }

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
        try script.write(Self.intel(7), "ucode/06-8e-09")
        try script.write(Self.intel(9), "ucode/06-8e-0a")
        try script.write(Array("no microcode".utf8), "ucode/README")
        try script.write(Self.amd, "amd.bin")
        let words = ["--microcode", script.path("ucode"), "--microcode", script.path("amd.bin")]
        let result = try script.run(words)
        try #require(result.status == 0, "\(result.error)")
        let image = try script.bytes("rootfs.gz")
        #expect(EarlyInitrd(image) == EarlyInitrd(microcode: [.intel, .amd]))
        let start = try #require(MakeInitramfs.compressedStart(image))
        #expect(start > 0 && start % 4 == 0)
        // Both of Intel's, one behind the other, as the kernel looks through them.
        #expect(Data(image[..<start]).range(of: Data(Self.intel(7) + Self.intel(9))) != nil)
        #expect(Data(image[..<start]).range(of: Data(Self.amd)) != nil)
        // The rest is what it is without them, and everything is the same in another build.
        try #require(try script.run([], output: "plain.gz").status == 0)
        #expect(try script.bytes("plain.gz") == Array(image[start...]))
        try #require(try script.run(words, output: "again.gz").status == 0)
        #expect(try script.bytes("again.gz") == image)
    }

    @Test func putsACPITablesInFront() throws {
        try script.write(Self.table("DSDT"), "tables/dsdt.aml")
        try script.write(Self.table("SSDT"), "tables/ssdt1.aml")
        try script.write(Array("DefinitionBlock".utf8), "tables/dsdt.dsl")
        let result = try script.run(["--acpi-tables", script.path("tables")])
        try #require(result.status == 0, "\(result.error)")
        let image = try script.bytes("rootfs.gz")
        #expect(EarlyInitrd(image) == EarlyInitrd(hasACPITables: true))
        for signature in ["DSDT", "SSDT"] { #expect(Data(image).range(of: Data(Self.table(signature))) != nil) }
        #expect(Data(image).range(of: Data("DefinitionBlock".utf8)) == nil)
    }

    /// Kernel A's own initrd, or a rootfs.gz of ours, has both in front.
    @Test func takesBothOutOfAnInitrd() throws {
        try script.write(Self.intel(7), "intel.bin")
        try script.write(Self.table("SSDT"), "ssdt.aml")
        let first = try script.run(["--microcode", script.path("intel.bin"), "--acpi-tables", script.path("ssdt.aml")])
        try #require(first.status == 0, "\(first.error)")
        let second = try script.run(
            ["--acpi-tables", script.path("rootfs.gz"), "--microcode", script.path("rootfs.gz")], output: "second.gz")
        try #require(second.status == 0, "\(second.error)")
        #expect(try script.bytes("second.gz") == script.bytes("rootfs.gz"))
    }

    /// As initramfs-tools of Debian builds it: one archive for each maker, and one for ACPI tables, each with zeros behind it.
    @Test func takesMicrocodeOutOfEveryEarlyArchive() throws {
        let trailer = archiveEntry("TRAILER!!!", []), path = "kernel/x86/microcode/"
        func archive(_ name: String, _ content: [UInt8], zeros: Int) -> [UInt8] {
            archiveEntry("kernel", [], mode: 0o040755) + archiveEntry(name, content) + trailer
                + [UInt8](repeating: 0, count: zeros)
        }
        let late = archive(path + "GenuineIntel.bin", Self.intel(1), zeros: 0)
        try script.write(
            archive(path + "AuthenticAMD.bin", Self.amd, zeros: 4)
                + archive("kernel/firmware/acpi/ssdt.aml", Self.table("SSDT"), zeros: 1024)
                // Another file of the same name is not looked at, nor one below a folder, nor what is behind.
                + archive(path + "GenuineIntel.bin", Self.intel(7), zeros: 0)
                + archive(path + "GenuineIntel.bin", Self.intel(3), zeros: 8)
                + archive(path + "x/GenuineIntel.bin", Self.intel(5), zeros: 0) + [0x1f, 0x8b, 8, 0] + late, "initrd")
        let words = ["--microcode", script.path("initrd"), "--acpi-tables", script.path("initrd")]
        let result = try script.run(words)
        try #require(result.status == 0, "\(result.error)")
        let image = try script.bytes("rootfs.gz")
        #expect(EarlyInitrd(image) == EarlyInitrd(microcode: [.intel, .amd], hasACPITables: true))
        for part in [Self.amd, Self.intel(7), Self.table("SSDT")] { #expect(Data(image).range(of: Data(part)) != nil) }
        for fill in [1, 3, 5] as [UInt8] { #expect(Data(image).range(of: Data(Self.intel(fill))) == nil) }
    }

    /// `torpor hibernate` knows what the script makes, with all that it can put in, and nothing more.
    @Test func writesTheMarkerOfTorpor() throws {
        try script.write(Self.intel(7), "intel.bin")
        try script.write(Array("module".utf8), "modules/a.ko")
        for words in [
            [], ["--microcode", script.path("intel.bin")], ["--add", script.path("modules") + ":/lib/modules"],
        ] {
            let result = try script.run(words)
            try #require(result.status == 0, "\(result.error)")
            let image = try script.bytes("rootfs.gz")
            #expect(RootfsMarker.member(in: image)?.upperBound == image.count)
            try RootfsMarker.require(image, path: "rootfs.gz")
            #expect(throws: Failure.self) { try RootfsMarker.require(image + image, path: "rootfs.gz") }
            // Others unpack it as before.
            let start = try #require(MakeInitramfs.compressedStart(image))
            try script.write(Array(image[start...]), "packed.gz")
            let gzip = Process()
            gzip.executableURL = URL(filePath: "/bin/gzip")
            gzip.arguments = ["-t", script.path("packed.gz")]
            try gzip.run()
            gzip.waitUntilExit()
            #expect(gzip.terminationStatus == 0)
        }
    }

    @Test func refusesFilesThatTheKernelWouldIgnore() throws {
        try script.write(Array("text".utf8) + [UInt8](repeating: 1, count: 60), "text")
        try script.write(Self.intel(7).dropLast(1), "cut")
        try script.write([1, 0, 0, 0] + [UInt8](repeating: 0, count: 60), "other")
        var damaged = Self.table("DSDT")
        damaged[20] ^= 1
        try script.write(damaged, "damaged.aml")
        try script.write(Self.table("DSDT"), "a-name-of-18-bytes")
        try script.write([], "empty/file")
        try #require(try script.run([], output: "plain.gz").status == 0)
        for (option, name, text) in [
            ("--microcode", "text", "it is no microcode"), ("--microcode", "cut", "cut off"),
            ("--microcode", "other", "it is no microcode"), ("--microcode", "missing", "there is no such file"),
            ("--microcode", "empty", "there is no microcode in it"), ("--microcode", "plain.gz", "it is no microcode"),
            ("--acpi-tables", "text", "it is no compiled ACPI table"),
            ("--acpi-tables", "damaged.aml", "it is no compiled"),
            ("--acpi-tables", "a-name-of-18-bytes", "at most 17 bytes"), ("--acpi-tables", "missing", "no such file"),
            ("--acpi-tables", "empty", "no compiled ACPI table in it"),
        ] {
            let result = try script.run([option, script.path(name)], output: "refused.gz")
            #expect(result.status == 1 && result.error.contains(text), "\(option) \(name): \(result.error)")
            #expect(!script.exists("refused.gz"))
        }
    }
}
