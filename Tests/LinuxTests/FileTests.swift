// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Linux
import Testing

@Suite struct FileTests {
    private let url = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)")

    private func withFile(_ content: [UInt8], _ body: (String) throws -> Void) throws {
        try Data(content).write(to: url)
        defer { try? FileManager.default.removeItem(at: url) }
        try body(url.path)
    }

    @Test func readsWholeFiles() throws {
        let content = (0..<100_000).map { UInt8(truncatingIfNeeded: $0) }
        try withFile(content) { (path: String) throws in
            #expect(try readFile(path) == content)
            #expect(try readFile(path, limit: 100_000) == content)
            let failure = #expect(throws: Failure.self) { try readFile(path, limit: 99_999) }
            #expect(failure?.description.contains("it is larger than") == true)
        }
        // The files of /proc tell a size of 0.
        #expect(try readText("/proc/self/status").contains("PPid:"))
        let failure = #expect(throws: Failure.self) { try readFile("/nowhere/file") }
        #expect(failure?.description == "open /nowhere/file: No such file or directory")
    }

    @Test func readsAndWritesAtOffsets() throws {
        try withFile(Array("0123456789".utf8)) { (path: String) throws in
            let file = try File(path, .write)
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4, alignment: 1)
            defer { buffer.deallocate() }
            try file.read(into: buffer, at: 6)
            #expect(Array(buffer) == Array("6789".utf8))
            try file.write(UnsafeRawBufferPointer(buffer), at: 0)
            #expect(try readText(path) == "6789456789")
            #expect(throws: Failure.self) { try file.read(into: buffer, at: 7) }
            #expect(throws: Failure.self) { try file.read(into: buffer, at: UInt64.max - 1) }
        }
    }

    @Test func listsDirectories() throws {
        let folder = url.appendingPathExtension("folder")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for name in ["b", "a", ".hidden"] { try Data().write(to: folder.appending(path: name)) }
        #expect(try listDirectory(folder.path) == ["a", "b"])
        #expect(throws: Failure.self) { try listDirectory("/nowhere") }
    }

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

    @Test func namesTheErrorOfAnUnreadableFile() {
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

    @Test func replacesInvalidUTF8() throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)").path
        try Data([0x61, 0xff, 0x62]).write(to: URL(filePath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        #expect(try readText(path) == "a\u{fffd}b")
    }

    /// A file of /proc does not tell how much there is to read: here a program's arguments.
    @Test(arguments: [1000, (1 << 14) - 1, 1 << 14, (1 << 14) + 1, 100_000])
    func readsFilesOfUnknownSize(count: Int) throws {
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
