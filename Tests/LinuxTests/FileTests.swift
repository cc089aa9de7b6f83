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

    @Test func mapsFilesAndMemory() throws {
        try withFile([UInt8](repeating: 7, count: 8192)) { (path: String) throws in
            let file = try File(path, .write)
            do {
                let mapping = try Mapping(file, offset: 4096, count: 4096, isWritable: true)
                #expect(mapping.bytes.allSatisfy { $0 == 7 })
                mapping.bytes[0] = 9
            }
            #expect(try readFile(path)[4096] == 9)
            #expect(throws: Failure.self) { _ = try Mapping(file, offset: 1, count: 4096, isWritable: false) }
            #expect(throws: Failure.self) { _ = try Mapping(file, offset: 0, count: 0, isWritable: false) }
        }
        let memory = try Mapping(anonymous: 4096)
        #expect(isZero(UnsafeRawBufferPointer(memory.bytes)))
    }

    @Test func listsDirectories() throws {
        let folder = url.appendingPathExtension("folder")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for name in ["b", "a", ".hidden"] { try Data().write(to: folder.appending(path: name)) }
        #expect(try listDirectory(folder.path) == ["a", "b"])
        #expect(throws: Failure.self) { try listDirectory("/nowhere") }
    }

    @Test(arguments: [("a\n", "a"), ("", ""), (" \n", ""), ("a b\t\r\n", "a b")])
    func trims(text: String, expected: String) { #expect(trimmed(text) == expected) }
}
