// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Testing

@testable import TorporCommand

@Suite struct TextStreamTests {
    @Test func writesAllOfALongText() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)")
        try Data().write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let pipe = Pipe(), cat = Process()
        cat.executableURL = URL(filePath: "/bin/cat")
        cat.standardInput = pipe
        cat.standardOutput = try FileHandle(forWritingTo: file)
        try cat.run()
        let stream = DescriptorStream(pipe.fileHandleForWriting.fileDescriptor, name: "a pipe")
        // More than a pipe holds.
        let text = String(repeating: "0123456789abcdef", count: 20_000)
        stream.write(text)
        stream.write("end")
        try pipe.fileHandleForWriting.close()
        cat.waitUntilExit()
        #expect(try String(contentsOf: file, encoding: .utf8) == text + "end")
        #expect(stream.failure == nil)
    }

    @Test func keepsTheFirstFailure() throws {
        let full = try FileHandle(forWritingTo: URL(filePath: "/dev/full"))
        let stream = DescriptorStream(full.fileDescriptor, name: "standard output")
        stream.write("a")
        #expect(stream.failure?.description == "write to standard output: No space left on device")
        try full.close()
        stream.write("b")
        #expect(stream.failure?.errno == ENOSPC)
    }
}
