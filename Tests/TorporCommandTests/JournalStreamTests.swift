// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import TorporCommand

@Suite struct JournalStreamTests {
    @Test func linesGetPriorities() {
        let buffer = TextBuffer()
        let terminal = Terminal(output: buffer, errors: JournalStream(buffer))
        terminal.warn("warm")
        terminal.write(error: "torpor: note: cold\ntorpor: hibernate: no")
        #expect(buffer.text == "<4>torpor: warning: warm\n<5>torpor: note: cold\n<3>torpor: hibernate: no\n")
    }

    @Test func onlyTheDescriptorOfTheVariableIsTheJournal() throws {
        let pipe = Pipe()
        let descriptor = pipe.fileHandleForWriting.fileDescriptor
        let link = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(descriptor)")
        let inode = link.filter(\.isNumber)
        // All pipes are on one device, which nobody names.
        var status = stat()
        #expect(fstat(descriptor, &status) == 0)
        #expect(JournalStream.isJournal(descriptor, "\(status.st_dev):\(inode)"))
        #expect(!JournalStream.isJournal(descriptor, "\(status.st_dev):\(inode)0"))
        #expect(!JournalStream.isJournal(descriptor, nil))
        #expect(!JournalStream.isJournal(-1, "0:0"))
    }
}
