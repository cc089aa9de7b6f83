// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Testing

@testable import MemoryImage

/// The command as it was built, on files in the place of partitions and, for root, on loop devices.
@Suite(.serialized) struct CommandTests {
    /// What a run of the command left.
    struct Result {
        let status: Int32
        let output, errors: String

        var json: [String: Any] {
            get throws { try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any] ?? [:] }
        }
    }

    private static let program = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
        .appending(path: "torpor")

    /// - Parameter shell: what is put behind the command, such as a redirection.
    private func torpor(_ arguments: String..., shell: String = "", asNobody: Bool = false) throws -> Result {
        try torpor(words: arguments, shell: shell, asNobody: asNobody)
    }

    private func torpor(words arguments: [String], shell: String = "", asNobody: Bool = false) throws -> Result {
        let folder = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let output = folder.appending(path: "out"), errors = folder.appending(path: "err")
        for file in [output, errors] { try Data().write(to: file) }
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sh")
        var words = [Self.program.path] + arguments
        if asNobody {
            // The build is not for everybody to read. Another process makes the copy: what this one writes is busy as long as
            // a child that another test forked meanwhile has the descriptor.
            let copy = folder.appending(path: "torpor")
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder.path)
            let install = try Process.run(
                URL(filePath: "/usr/bin/install"), arguments: ["-m", "755", Self.program.path, copy.path])
            install.waitUntilExit()
            words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", copy.path] + arguments
        }
        process.arguments = ["-c", "\"$@\" \(shell)", "sh"] + words
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = try FileHandle(forWritingTo: errors)
        try process.run()
        process.waitUntilExit()
        return Result(
            status: process.terminationStatus, output: String(decoding: try Data(contentsOf: output), as: UTF8.self),
            errors: String(decoding: try Data(contentsOf: errors), as: UTF8.self))
    }

    /// A formatted partition in a file, gone with the object.
    private final class Disk {
        let path = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)").path
        private(set) var device: String?

        init(isFormatted: Bool = true, label: String = "") throws {
            try Data(count: 8 << 20).write(to: URL(filePath: path))
            if isFormatted { try HibernationPartition.format(path, label: label, uuid: Self.uuid(), []) }
        }

        private static func uuid() -> Basics.UUID {
            Basics.UUID(random: (0..<16).map { _ in UInt8.random(in: 0...255) }) ?? .zero
        }

        /// A loop device over the file; nil if nobody may make one here.
        func attach() throws -> String? {
            let process = Process()
            process.executableURL = URL(filePath: "/usr/sbin/losetup")
            process.arguments = ["--find", "--show", path]
            let pipe = Pipe()
            process.standardOutput = pipe
            process.standardError = FileHandle.nullDevice
            guard (try? process.run()) != nil else { return nil }
            let answer = pipe.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            guard process.terminationStatus == 0 else { return nil }
            device = String(decoding: answer, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
            return device
        }

        /// An image of a few pages in some state.
        func writeImage(_ state: Superblock.State, host: String = "host", reason: String = "") throws {
            let partition = try HibernationPartition(path, .write)
            let writer = try ImageWriter(partition, imageUUID: Self.uuid(), codec: .none)
            let builder = try writer.makeChunkBuilder()
            let page = [UInt8](repeating: 0x55, count: 4096)
            try page.withUnsafeBytes { try builder.addData(firstFrame: 0x8000, $0) }
            try builder.flush()
            var description = ImageDescription()
            description.host = host
            description.kernelRelease = "6.12\u{1b}]0;x\u{7}"
            try writer.finish(description, state: .ready) { 1 }
            try partition.update {
                $0.state = state
                $0.reason = reason
            }
        }

        func put(_ bytes: [UInt8], at offset: Int) throws {
            let file = try #require(FileHandle(forUpdatingAtPath: path))
            try file.seek(toOffset: UInt64(offset))
            try file.write(contentsOf: Data(bytes))
            try file.close()
        }

        var content: Data { get throws { try Data(contentsOf: URL(filePath: path)) } }

        deinit {
            if let device {
                let process = Process()
                process.executableURL = URL(filePath: "/usr/sbin/losetup")
                process.arguments = ["--detach", device]
                try? process.run()
                process.waitUntilExit()
            }
            try? FileManager.default.removeItem(atPath: path)
        }
    }

    private static let isRoot = geteuid() == 0

    // MARK: What is printed

    /// Everything that a disk says steers nobody's terminal, as text and as JSON.
    @Test func printsNothingOfADiskThatSteersATerminal() throws {
        let disk = try Disk(label: "a\u{1b}[2Jb\u{202e}c")
        try disk.writeImage(.failed, host: "h\u{9b}31m\nx: ready", reason: "r\u{1b}[1m\r\u{7f}")
        for arguments in [["status", disk.path], ["status", "--json", disk.path]] {
            let result = try arguments.count == 2 ? torpor("status", disk.path) : torpor("status", "--json", disk.path)
            #expect(result.status == 0 && result.errors == "")
            let hidden = result.output.unicodeScalars.filter {
                $0.value < 0x20 && $0 != "\n" || (0x7f..<0xa0).contains($0.value) || $0.value == 0x202e
            }
            #expect(hidden.isEmpty, "\(arguments)")
        }
        let text = try torpor("status", disk.path).output
        #expect(text.contains("  label       a\\x1b[2Jb\\u202ec\n"))
        #expect(text.contains("  host        h\\u009b31m\\x0ax: ready\n"))
        #expect(text.contains("  reason      r\\x1b[1m\\x0d\\x7f\n"))
        #expect(text.contains("  kernel      6.12\\x1b]0;x\\x07\n"))
        let partitions = try #require(try torpor("status", "--json", disk.path).json["partitions"] as? [[String: Any]])
        #expect(partitions[0]["label"] as? String == "a\u{1b}[2Jb\u{202e}c", "JSON has the text as it is")
        #expect(partitions[0]["host"] as? String == "h\u{9b}31m\nx: ready")
        let failure = try torpor("verify", "/nowhere/\u{1b}[2J\n\u{9b}x")
        #expect(failure.status == 1)
        #expect(failure.errors == "torpor: find /nowhere/\\x1b[2J\\x0a\\u009bx: there is no such device\n")
    }

    @Test func failsIfItsOutputCannotBeWritten() throws {
        let disk = try Disk()
        for arguments in [["status", disk.path], ["status", "--json", disk.path]] {
            let full =
                try arguments.count == 2
                ? torpor("status", disk.path, shell: ">/dev/full")
                : torpor("status", "--json", disk.path, shell: ">/dev/full")
            #expect(full.status == 1)
            #expect(full.errors == "torpor: write to standard output: No space left on device\n")
        }
        let help = try torpor("--help", shell: ">/dev/full")
        #expect(help.status == 1)
        let closed = try torpor("status", disk.path, shell: ">&-")
        #expect(closed.status == 1 && closed.errors.hasPrefix("torpor: write to standard output: "))
        // A failure stays what it is.
        #expect(try torpor("frobnicate", shell: ">/dev/full").status == 2)
    }

    @Test func usageErrorsBeginLikeOthers() throws {
        for result in [
            try torpor("frobnicate"), try torpor("hibernate", "--codec", "lzma"), try torpor("format"),
            try torpor("hibernate", "--backup-end", "x"), try torpor("status", "NAME=x"),
        ] {
            #expect(result.status == 2)
            #expect(result.errors.hasPrefix("torpor: ") && !result.errors.contains("Error:"), "\(result.errors)")
            #expect(result.output == "")
        }
        #expect(try torpor("--help").status == 0)
        #expect(try torpor("--version").output == torpor("--version").output)
    }

    @Test func hibernateAndCheckAlwaysPrintJSON() throws {
        // No kernel for it and no partition: this machine does not hibernate whatever it is.
        let hibernate = try torpor("hibernate", "--json", "--device", "/nowhere/disk", "--kernel", "/nowhere/kernel")
        #expect(hibernate.status == 1)
        let answer = try hibernate.json
        #expect(answer["outcome"] as? String == "failed")
        #expect(hibernate.errors == "torpor: \(answer["reason"] as? String ?? "")\n")
        let check = try torpor("check", "--json", "--device", "/nowhere/disk", "--kernel", "/nowhere/kernel")
        #expect(check.status == 1)
        #expect(try check.json["canHibernate"] as? Bool == false)
        #expect(try check.errors == "torpor: \(check.json["reason"] as? String ?? "")\n")
    }

    /// Whoever reads JSON gets the reason from it, too.
    @Test func everyJSONCommandPrintsJSONWhenItFails() throws {
        for (command, words) in [("status", []), ("verify", []), ("discard", []), ("format", ["--force"])] {
            let result = try torpor(words: [command, "--json"] + words + ["/nowhere/a\u{1b}b"])
            #expect(result.status == 1)
            let reason = try #require(try result.json["reason"] as? String, "\(command): \(result.output)")
            #expect(reason.hasPrefix("find /nowhere/a\u{1b}b: there is no such device"))
            #expect(result.errors == "torpor: find /nowhere/a\\x1bb: there is no such device\n")
        }
    }

    @Test func verifyPrintsJSON() throws {
        let disk = try Disk()
        try disk.writeImage(.ready)
        let answer = try torpor("verify", "--json", disk.path).json
        #expect(answer["device"] as? String == disk.path && answer["chunks"] as? Int == 1)
    }

    // MARK: What a partition is

    @Test func statusSaysWhyAPartitionCannotBeUsed() throws {
        let disk = try Disk()
        try disk.put([1], at: 1000)
        let text = try torpor("status", disk.path)
        #expect(text.status == 0)
        #expect(text.output.hasPrefix("\(disk.path): cannot be used: both its superblocks are damaged; "))
        let partitions = try #require(try torpor("status", "--json", disk.path).json["partitions"] as? [[String: Any]])
        #expect(partitions[0]["usable"] as? Bool == false)
        #expect((partitions[0]["reason"] as? String)?.hasPrefix("both its superblocks are damaged") == true)
        let good = try Disk()
        let fine = try #require(try torpor("status", "--json", good.path).json["partitions"] as? [[String: Any]])
        #expect(fine[0]["usable"] as? Bool == true && fine[0]["reason"] == nil)
        for command in ["verify", "discard"] {
            let result = try torpor(command, disk.path)
            #expect(result.status == 1 && result.errors.contains("both its superblocks are damaged"), "\(command)")
        }
    }

    @Test func discardErasesAndSaysHow() throws {
        for state in [Superblock.State.ready, .consumed, .snapshot, .failed] {
            let disk = try Disk()
            try disk.writeImage(state)
            let before = try torpor("status", disk.path).output
            #expect(
                before.contains("erase them with: torpor discard \(disk.path)")
                    == (state == .consumed || state == .failed))
            let result = try torpor("discard", disk.path)
            #expect(result.status == 0 && result.errors == "")
            #expect(result.output.contains("\(disk.path): discarded "))
            #expect(result.output.contains("\(disk.path): erased its contents: "))
            #expect(try disk.content[(1 << 20)...].allSatisfy { $0 == 0 }, "\(state)")
            #expect(try torpor("discard", disk.path).output == "\(disk.path): it holds no image\n")
            let status = try torpor("status", disk.path).output
            #expect(status.hasPrefix("\(disk.path): no image\n") && !status.contains("erase"))
        }
        let disk = try Disk()
        try disk.writeImage(.ready)
        let answer = try torpor("discard", "--json", disk.path).json
        #expect(["discard", "zeros"].contains(answer["erased"] as? String))
        #expect(answer["discarded"] as? String == "an image that waits for its resume")
    }

    // MARK: Block devices

    @Test(.enabled(if: isRoot)) func formatsByNameAndRefusesWhatIsNotEmpty() throws {
        let disk = try Disk(label: "torpor-test-a"), other = try Disk(label: "torpor-test-a")
        let superblock = try HibernationPartition(disk.path).superblock
        guard let device = try disk.attach(), let second = try other.attach() else { return }
        let several = try torpor("format", "--force", "LABEL=torpor-test-a")
        #expect(several.status == 1)
        #expect(several.errors.contains("there are several: "))
        for path in [device, second] { #expect(several.errors.contains(path)) }
        #expect(try HibernationPartition(disk.path).superblock == superblock, "it is formatted")
        for command in ["verify", "discard", "status"] {
            let result = try torpor(command, "LABEL=torpor-test-a")
            #expect(result.status == 1)
            #expect(result.errors.hasSuffix("; name one with torpor \(command) DEVICE\n"), "\(result.errors)")
        }
        let byUUID = try torpor("format", "UUID=\(superblock.uuid)")
        #expect(byUUID.status == 0 && byUUID.output.hasPrefix("\(device): "), "\(byUUID.errors)")
        try disk.put([7], at: 2 << 20)
        #expect(try torpor("format", device).status == 0, "behind an unused partition's superblock is nobody's data")
        try disk.put([UInt8](repeating: 0, count: 4096), at: 0)
        try disk.put([7], at: 5000)
        let data = try torpor("format", device)
        #expect(data.status == 1)
        #expect(
            data.errors
                == "torpor: format \(device): it holds data of an unknown kind; if that may be lost, use --force\n")
        #expect(try torpor("format", "--force", device).status == 0)
    }

    @Test(.enabled(if: isRoot)) func erasesOnABlockDevice() throws {
        let disk = try Disk()
        try disk.writeImage(.ready)
        guard let device = try disk.attach() else { return }
        let result = try torpor("discard", device)
        #expect(result.status == 0 && result.output.contains("erased its contents"), "\(result.errors)")
        #expect(try disk.content[(1 << 20)...].allSatisfy { $0 == 0 })
        #expect(try HibernationPartition(disk.path).superblock.isUnused)
    }

    @Test(.enabled(if: isRoot)) func saysThatOnlyRootSeesPartitions() throws {
        let disk = try Disk()
        guard try disk.attach() != nil else { return }
        for result in [
            try torpor("status", asNobody: true), try torpor("verify", asNobody: true),
            try torpor("discard", "LABEL=x", asNobody: true),
            try torpor("format", "--force", "LABEL=x", asNobody: true),
        ] {
            #expect(result.status == 1)
            // Which of the two depends on whether a container is around it.
            let reasons = [": Permission denied", ": Operation not permitted"].map { "\($0); run this as root\n" }
            #expect(
                result.errors.hasPrefix("torpor: ") && reasons.contains { result.errors.hasSuffix($0) },
                "\(result.errors)")
            #expect(result.output == "")
        }
    }
}
