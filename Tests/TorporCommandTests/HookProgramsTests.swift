// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import TorporCommand

@Suite struct HookProgramsTests {
    private let fixture: CommandFixture
    private var sleep: FakeSleep { fixture.sleep }

    init() throws { fixture = try CommandFixture() }

    /// Runs the hooks before a hibernation.
    /// - Returns: the warnings.
    private func run() -> [String] {
        var warnings: [String] = []
        HookPrograms(system: sleep.system) { warnings.append($0) }.run(.pre, .hibernate, action: "hibernate")
        return warnings
    }

    @Test func withoutAFolderNothingRuns() {
        #expect(run() == [])
        #expect(sleep.events == [])
    }

    @Test func hooksGetArgumentsAndTheVariable() throws {
        try sleep.recordingHook("20-b")
        try sleep.recordingHook("10-a")
        #expect(HookPrograms(system: sleep.system) { _ in }.paths.map { $0.suffix(4) } == ["10-a", "20-b"])
        #expect(run() == [])
        #expect(sleep.events == ["10-a pre hibernate (hibernate)", "20-b pre hibernate (hibernate)"])
    }

    @Test func onlyExecutableFilesRun() throws {
        try sleep.hook("text", "echo text >>\"$log\"", mode: 0o644)
        try sleep.recordingHook("target")
        let folder = sleep.url(HookPrograms.folder)
        let files = FileManager.default
        try files.createSymbolicLink(
            at: folder.appending(path: "dangling"), withDestinationURL: folder.appending(path: "nothing"))
        try files.createSymbolicLink(
            at: folder.appending(path: "masked"), withDestinationURL: URL(filePath: "/dev/null"))
        try files.createSymbolicLink(
            at: folder.appending(path: "link"), withDestinationURL: folder.appending(path: "target"))
        try files.createDirectory(at: folder.appending(path: "folder"), withIntermediateDirectories: false)
        sleep.write("\(HookPrograms.folder)/empty", "")
        try files.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder.appending(path: "empty").path)
        #expect(
            HookPrograms(system: sleep.system) { _ in }.paths
                == ["link", "target"].map { "\(HookPrograms.folder)/\($0)" })
        #expect(run() == [])
        #expect(sleep.events.count == 2)
    }

    @Test func failuresAreTold() throws {
        try sleep.hook("10-fails", "exit 3")
        try sleep.hook("20-killed", "kill -9 $$")
        try sleep.hook("30-no-interpreter", "", interpreter: "/nowhere/sh")
        try sleep.recordingHook("40-works")
        let hook = { (name: String) in "the sleep hook \(HookPrograms.folder)/\(name) (pre hibernate)" }
        #expect(
            run() == [
                "\(hook("10-fails")): it exited with status 3", "\(hook("20-killed")): signal 9 killed it",
                "\(hook("30-no-interpreter")) could not be started: No such file or directory",
            ])
        #expect(sleep.events == ["40-works pre hibernate (hibernate)"])
    }

    @Test func hooksRunAtTheSameTime() throws {
        // Each waits for the other.
        try sleep.hook("a", "touch \"$log.a\"; until test -e \"$log.b\"; do sleep 0.01; done")
        try sleep.hook("b", "touch \"$log.b\"; until test -e \"$log.a\"; do sleep 0.01; done")
        #expect(run() == [])
    }

    @Test func hooksThatHangAreEnded() throws {
        sleep.hookLimit = 500
        try sleep.hook("hangs", "exec sleep 1000")
        try sleep.recordingHook("works")
        #expect(
            run() == ["the sleep hook \(HookPrograms.folder)/hangs (pre hibernate): it took too long and was ended"])
        #expect(sleep.events == ["works pre hibernate (hibernate)"])
    }
}
