// SPDX-License-Identifier: Apache-2.0
import Foundation
import Linux
import Testing

@Suite struct ProcessTableTests {
    /// The table of mappings of a large process has megabytes.
    @Test func readsALongTableOfMappings() throws {
        let root = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: root) }
        let folder = "\(root)/proc/7"
        try FileManager.default.createDirectory(atPath: "\(folder)/fd", withIntermediateDirectories: true)
        let other = "7f0000000000-7f0000001000 rw-p 00000000 00:00 0 \n"
        try (String(repeating: other, count: 30_000) + "7f0000000000-7f0000001000 rw-s 00000000 00:0e 2 /a file\n")
            .write(toFile: "\(folder)/maps", atomically: false, encoding: .utf8)
        let table = ProcessTable("\(root)/proc")
        #expect(table.holder(isMapped: true) { $0 == "/a file" } == 7)
        #expect(table.holder { $0 == "/a file" } == nil)
        #expect(table.hasMapping(7) { $0.count > 3 && $0[3] == "00:0e" })
        #expect(!table.hasMapping(8) { _ in true })
    }
}
