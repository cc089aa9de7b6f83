// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Linux
import Testing

@testable import TorporCommand

@Suite struct LinuxProgramsTests {
    private func shell(_ script: String, _ arguments: String..., output: Program.Output = .captured) -> Program {
        Program("/bin/sh", ["-c", script, "sh"] + arguments, output: output)
    }

    @Test func outputAndErrorsAreCapturedApart() throws {
        let result = try LinuxPrograms().run(shell("echo \"$1\"; echo wrong >&2; exit 3", "two words"))
        #expect(result == ProgramResult(end: .exited(3), output: "two words\n", errors: "wrong\n"))
        #expect(!result.isSuccess)
        #expect(try LinuxPrograms().run(shell("exit 0")).isSuccess)
    }

    @Test func variablesAreAddedToThoseOfTheProcess() throws {
        let program = Program("sh", ["-c", "echo \"$TORPOR_A\" \"${PATH:+path}\""], environment: ["TORPOR_A": "x=y z"])
        #expect(try LinuxPrograms().run(program).output == "x=y z path\n")
    }

    @Test func inputIsEmpty() throws {
        #expect(try LinuxPrograms().run(Program("cat")) == ProgramResult(end: .exited(0)))
    }

    @Test func muchOutputOnBothPipesDoesNotBlock() throws {
        let script = "head -c 3000000 /dev/zero | tr '\\0' x >&2; head -c 3000000 /dev/zero | tr '\\0' y"
        let result = try LinuxPrograms().run(shell(script))
        #expect(result.isSuccess)
        #expect(result.output.utf8.count == 1 << 20)
        #expect(result.errors.utf8.count == 1 << 20)
    }

    @Test func discardedOutputIsNotKept() throws {
        #expect(try LinuxPrograms().run(shell("echo x; exit 1", output: .discarded)) == ProgramResult(end: .exited(1)))
    }

    @Test func signalsAreTold() throws {
        #expect(try LinuxPrograms().run(shell("kill -9 $$")).end == .killed(signal: 9))
        #expect(ProgramResult(end: .killed(signal: 9)).clause == "signal 9 killed it")
    }

    @Test func noSignalIsBlockedOrIgnored() throws {
        blockChildSignal()
        let result = try LinuxPrograms().run(Program("cat", ["/proc/self/status"]))
        let masks = result.output.split(separator: "\n").filter { $0.hasPrefix("SigBlk") || $0.hasPrefix("SigIgn") }
            .compactMap { UInt64($0.dropFirst(8), radix: 16) }
        // Signals 32 and 33 belong to the C library, which lets nobody change them.
        #expect(masks.map { $0 & ~(3 << 31) } == [0, 0])
    }

    @Test func programsThatDoNotExistFail() throws {
        #expect {
            try LinuxPrograms().run(Program("/nowhere/torpor-test"))
        } throws: {
            ($0 as? Failure)?.description == "run /nowhere/torpor-test: No such file or directory"
        }
        let results = LinuxPrograms().run([Program("torpor-no-such-program"), Program("true")], milliseconds: nil)
        #expect(results.map { (try? $0.get())?.isSuccess } == [nil, true])
    }

    @Test func programsRunAtTheSameTime() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "torpor-\(UUID())").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        // Each waits for the other.
        let script = "touch \"$1/$2\"; until test -e \"$1/$3\"; do sleep 0.01; done"
        let results = LinuxPrograms().run(
            [shell(script, folder, "a", "b"), shell(script, folder, "b", "a")], milliseconds: 60_000)
        #expect(results.map { (try? $0.get())?.isSuccess } == [true, true])
    }

    @Test func programsThatTakeTooLongAreEnded() throws {
        let runner = LinuxPrograms(graceMilliseconds: 100)
        let results = runner.run(
            [shell("exec sleep 1000"), shell("trap '' TERM; while :; do sleep 0.01; done"), shell("echo done")],
            milliseconds: 300)
        let ends = results.map { try? $0.get() }
        #expect(
            ends == [
                ProgramResult(end: .timedOut), ProgramResult(end: .timedOut),
                ProgramResult(end: .exited(0), output: "done\n"),
            ])
    }

    @Test func processesThatAProgramLeavesBehindAreNotWaitedFor() throws {
        // The process in the background keeps the pipes open.
        let result = try LinuxPrograms().run(shell("sleep 1000 & echo $!"), milliseconds: 60_000)
        #expect(result.end == .exited(0))
        let left = try #require(Int32(result.output.dropLast()))
        #expect(Foundation.kill(left, 0) == 0)
        Linux.kill(left)
    }
}
