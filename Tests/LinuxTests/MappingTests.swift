// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Linux
import Testing

@Suite struct MappingTests {
    private let url = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)")

    private func withFile(_ content: [UInt8], _ body: (String) throws -> Void) throws {
        try Data(content).write(to: url)
        defer { try? FileManager.default.removeItem(at: url) }
        try body(url.path)
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

    /// In a process of its own, whose limit it is.
    @Test(.enabled(if: effectiveUserID() == 0)) func aLimitOnLockedMemoryIsNamed() throws {
        let child = try forkChild {
            // RLIMIT_MEMLOCK, which is a macro.
            var limit = rlimit(rlim_cur: 0, rlim_max: 0)
            guard setrlimit(__rlimit_resource_t(8), &limit) == 0, setuid(65534) == 0 else {
                return 2
            }
            do throws(Failure) {
                let page = try Mapping(anonymous: 4096)
                try page.lock()
                return 3
            } catch { return error.reason.containsBytes("RLIMIT_MEMLOCK") && error.remedy != nil ? 0 : 4 }
        }
        #expect(try status(of: child) == 0)
    }

    private func status(of child: Int32) throws -> Int32 {
        var status: Int32 = 0
        try #require(waitpid(child, &status, 0) == child)
        return status
    }
}
