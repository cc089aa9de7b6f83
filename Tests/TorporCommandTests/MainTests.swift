// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Testing

@testable import MemoryImage

/// The program as it was built: what only a process of its own can show. Partitions are files and, for root, loop devices.
@Suite(.serialized) struct MainTests {
    private static let program = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
        .appending(path: "torpor")

    /// - Parameter shell: stands behind the command in a line of the shell, such as a redirection.
    private func torpor(_ arguments: String..., shell: String = "", asNobody: Bool = false) throws -> Outcome {
        try torpor(words: arguments, shell: shell, asNobody: asNobody)
    }

    private func torpor(words arguments: [String], shell: String = "", asNobody: Bool = false) throws -> Outcome {
        let folder = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let output = folder.appending(path: "out"), errors = folder.appending(path: "err")
        for file in [output, errors] { try Data().write(to: file) }
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sh")
        var words = [Self.program.path] + arguments
        if asNobody {
            // Others cannot read the build. Another process makes the copy: a file that this process writes stays busy as long
            // as a child that another test forked meanwhile has the descriptor.
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
        return Outcome(
            status: process.terminationStatus, output: String(decoding: try Data(contentsOf: output), as: UTF8.self),
            errors: String(decoding: try Data(contentsOf: errors), as: UTF8.self))
    }

    /// Whether this process may make loop devices and run programs as another user.
    private static let isRoot = geteuid() == 0

    // MARK: Output, signals and exit status

    @Test func exitsWithTheStatusOfTheCommand() throws {
        let disk = try LoopDisk()
        let version = try torpor("--version")
        #expect(version.status == 0 && version.output == "\(torporVersion)\n" && version.errors == "")
        let status = try torpor("status", disk.path)
        #expect(status.status == 0 && status.output.hasPrefix("\(disk.path): no image\n") && status.errors == "")
        let failure = try torpor("verify", disk.path)
        #expect(failure.status == 1 && failure.errors == "torpor: verify \(disk.path): it holds no image\n")
        let usage = try torpor("frobnicate")
        #expect(usage.status == 2 && usage.errors.hasPrefix("torpor: ") && usage.output == "")
    }

    @Test func failsIfItsOutputCannotBeWritten() throws {
        let disk = try LoopDisk()
        for arguments in [["status", disk.path], ["status", "--json", disk.path]] {
            let full = try torpor(words: arguments, shell: ">/dev/full")
            #expect(full.status == 1)
            #expect(full.errors == "torpor: write to standard output: No space left on device\n")
        }
        let help = try torpor("--help", shell: ">/dev/full")
        #expect(help.status == 1)
        let closed = try torpor("status", disk.path, shell: ">&-")
        #expect(closed.status == 1 && closed.errors.hasPrefix("torpor: write to standard output: "))
        // A failure stays what it is.
        #expect(try torpor("frobnicate", shell: ">/dev/full").status == 2)
        #expect(try torpor("frobnicate", shell: "2>&-").status == 2)
    }

    /// The program leaves signals to the kernel: the first write to a pipe that nobody reads ends it, and so does SIGTERM while
    /// it waits for a reader.
    @Test(arguments: [SIGPIPE, SIGTERM]) func endsBySignals(signal: Int32) throws {
        let pipe = Pipe()
        if signal == SIGPIPE { try pipe.fileHandleForReading.close() } else { fill(pipe) }
        let process = Process()
        process.executableURL = Self.program
        process.arguments = ["--help"]
        process.standardOutput = pipe
        try withoutBlockedSignals { try process.run() }
        for attempt in 0..<2000 where process.isRunning {
            // It sleeps in write(2) now (proc_pid_stat(5)); a signal that comes too early ends it as well.
            let state = try? String(
                contentsOf: URL(filePath: "/proc/\(process.processIdentifier)/stat"), encoding: .utf8)
            if signal == SIGTERM, state?.contains(") S ") == true { kill(process.processIdentifier, SIGTERM) }
            if attempt == 1999 { kill(process.processIdentifier, SIGKILL) }
            usleep(10_000)
        }
        process.waitUntilExit()
        #expect(process.terminationReason == .uncaughtSignal && process.terminationStatus == signal)
    }

    /// Runs a block in which this thread blocks no signals. The threads of tests block most of them, and a child would, too.
    private func withoutBlockedSignals(_ block: () throws -> Void) rethrows {
        var none = sigset_t(), old = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &old)
        defer { pthread_sigmask(SIG_SETMASK, &old, nil) }
        try block()
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

    // MARK: Block devices

    @Test(.enabled(if: isRoot)) func formatsByNameAndRefusesWhatIsNotEmpty() throws {
        let disk = try LoopDisk(label: "torpor-test-a"), other = try LoopDisk(label: "torpor-test-a")
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
        let disk = try LoopDisk()
        try disk.writeImage(.ready)
        guard let device = try disk.attach() else { return }
        let result = try torpor("discard", device)
        #expect(result.status == 0 && result.output.contains("contents erased: "), "\(result.errors)")
        #expect(try disk.content[(1 << 20)...].allSatisfy { $0 == 0 })
        #expect(try HibernationPartition(disk.path).superblock.isUnused)
    }

    @Test(.enabled(if: isRoot)) func saysThatOnlyRootSeesPartitions() throws {
        let disk = try LoopDisk()
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

/// Fills a pipe, so that the next write waits.
private func fill(_ pipe: Pipe) {
    let descriptor = pipe.fileHandleForWriting.fileDescriptor
    let flags = fcntl(descriptor, F_GETFL)
    _ = fcntl(descriptor, F_SETFL, flags | O_NONBLOCK)
    let bytes = [UInt8](repeating: 0x2e, count: 4096)
    while write(descriptor, bytes, bytes.count) > 0 {}
    while write(descriptor, bytes, 1) > 0 {}
    _ = fcntl(descriptor, F_SETFL, flags)
}
