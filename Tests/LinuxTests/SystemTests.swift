// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Linux
import Testing

@Suite struct StreamTests {
    /// A pipe tells no size and hands out less than was asked for, as files of /proc do.
    @Test func readsAStreamToItsEnd() throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)").path
        try #require(mkfifo(path, 0o600) == 0)
        defer { try? FileManager.default.removeItem(atPath: path) }
        // More than a pipe holds at once, and no multiple of anything.
        let content = (0..<200_003).map { UInt8(truncatingIfNeeded: $0 / 7) }
        Thread.detachNewThread {
            guard let file = FileHandle(forWritingAtPath: path) else { return }
            try? file.write(contentsOf: Data(content))
            try? file.close()
        }
        #expect(try readFile(path) == content)
    }

    @Test func tellsWhyAFileCannotBeRead() {
        let table = [
            ("/proc/self", "read /proc/self: Is a directory"),
            ("/nowhere", "open /nowhere: No such file or directory"),
            ("/dev/null/x", "open /dev/null/x: Not a directory"),
        ]
        for (path, sentence) in table {
            let failure = #expect(throws: Failure.self) { try readFile(path) }
            #expect(failure?.description == sentence)
            #expect(failure?.errno != 0)
        }
    }

    @Test func replacesWhatIsNotText() throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)").path
        try Data([0x61, 0xff, 0x62]).write(to: URL(filePath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        #expect(try readText(path) == "a\u{fffd}b")
    }

    /// A file of /proc does not tell how much there is to read: here a program's arguments.
    @Test(arguments: [1000, (1 << 14) - 1, 1 << 14, (1 << 14) + 1, 100_000])
    func readsWhatHasNoSize(count: Int) throws {
        let words = ["/bin/sh", "-c", "echo; read line", "sh"]
        let rest = count - words.joined().utf8.count - words.count - 1
        let last = (0..<rest).map { String(UnicodeScalar(UInt8(97 + $0 * 7 % 26))) }.joined()
        let program = Process()
        program.executableURL = URL(filePath: words[0])
        program.arguments = words.dropFirst() + [last]
        let (input, output) = (Pipe(), Pipe())
        program.standardInput = input
        program.standardOutput = output
        try program.run()
        defer {
            try? input.fileHandleForWriting.close()
            program.waitUntilExit()
        }
        // Until it says something it is no program yet.
        #expect(try output.fileHandleForReading.read(upToCount: 1)?.count == 1)
        let path = "/proc/\(program.processIdentifier)/cmdline"
        let expected = Array(((words + [last]).joined(separator: "\0") + "\0").utf8)
        #expect(expected.count == count)
        for limit in [count, count + 1, 1 << 20] {
            let isSame = try readFile(path, limit: limit) == expected
            #expect(isSame)
        }
        #expect(throws: Failure.self) { try readFile(path, limit: count - 1) }
    }

    @Test func readsAnEmptyFile() throws {
        #expect(try readFile("/dev/null") == [])
        #expect(try readFile("/dev/null", limit: 0) == [])
        #expect(throws: Failure.self) { try readFile("/proc/self/status", limit: 0) }
    }
}

@Suite struct StopTests {
    /// The first to come fails; the others have no other end than hearing of it.
    @Test(.timeLimit(.minutes(5))) func aFailureStopsTheOtherWorkers() {
        let workers = Workers()
        let list = WorkQueue([0])
        let failure = #expect(throws: Failure.self) {
            try workers.run { () throws(Failure) in
                if list.take() != nil { throw Failure("work on", "item", "enough") }
                while !workers.isStopping { sched_yield() }
            }
        }
        #expect(failure?.description == "work on item: enough")
    }

    @Test func workThatSucceedsDoesNotStop() throws {
        let workers = Workers()
        try workers.run { () throws(Failure) in }
        #expect(!workers.isStopping)
        #expect(WorkQueue([Int]()).take() == nil)
    }
}

@Suite struct KernelInterfaceTests {
    /// Nothing that a hostile device node or program could be run from is mounted with those rights; <linux/mount.h>.
    @Test func kernelFileSystemsAreRestricted() {
        let noSuid: UInt = 2, noDev: UInt = 4, noExec: UInt = 8
        let expected = [
            "/proc": noSuid | noDev | noExec, "/sys": noSuid | noDev | noExec,
            // The device nodes of /dev must work.
            "/dev": noSuid,
        ]
        #expect(Mount.kernelFileSystems.map(\.target) == ["/proc", "/sys", "/dev"])
        for mount in Mount.kernelFileSystems { #expect(mount.flags == expected[mount.target], "\(mount.target)") }
        #expect(Mount.readOnly == 1)
    }

    @Test func saysThatAProgramIsMissing() throws {
        let child = try forkChild {
            do throws(Failure) { try execute("/nowhere/init") } catch {
                return error.description == "run /nowhere/init: No such file or directory" ? 0 : 1
            }
        }
        guard case .exited(0) = try end(of: child) else {
            Issue.record("another sentence, or none")
            return
        }
        #expect(isExecutable("/proc/self/exe"))
        #expect(!isExecutable("/nowhere/init"))
        #expect(isSymbolicLink("/proc/self/exe"))
        #expect(!isSymbolicLink("/dev/null"))
    }

    /// Waits as long as it takes; `wait` itself may not hear of the end where other threads take signals.
    private func end(of child: Int32) throws -> ChildStatus {
        while true {
            if let status = try wait(for: child, milliseconds: 20) { return status }
        }
    }

    @Test func addsUpWhatIsKeptForProcessors() {
        let table = """
            Node 0, zone      DMA
              pages free     2689
              pagesets
                cpu: 0
                          count:    63
                          high:     14
                cpu: 1
                          count: 7
            Node 0, zone    DMA32
              pagesets
                cpu: 0
                          count:    200
                cpu: 10
                          count: 1000
                cpu: x
                          count: 
            """
        #expect(pagesOnPerCPULists(inZoneInfo: table) == 1270)
        #expect(pagesOnPerCPULists(of: 0, inZoneInfo: table) == 263)
        #expect(pagesOnPerCPULists(of: 1, inZoneInfo: table) == 7)
        #expect(pagesOnPerCPULists(of: 2, inZoneInfo: table) == 0)
        #expect(pagesOnPerCPULists(inZoneInfo: "count: x\ncount:\ncounts: 3") == 0)
    }

    @Test func randomBytesDiffer() throws {
        let one = try randomBytes(32), other = try randomBytes(32)
        #expect(one.count == 32 && one != other)
        #expect(try randomBytes(0) == [])
    }

    @Test func knowsThisSystem() {
        let names = systemNames()
        #expect(!names.host.isEmpty)
        #expect((try? readText("/proc/sys/kernel/osrelease")).map { trimmed($0) } == names.release)
        #expect(errorText(2) == "No such file or directory")
    }
}
