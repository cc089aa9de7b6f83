// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Linux
import Testing

@Suite struct DeviceGeometryTests {
    private func withDisk(_ content: [UInt8], _ body: (String) throws -> Void) throws {
        let url = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)")
        try Data(content).write(to: url)
        defer { try? FileManager.default.removeItem(at: url) }
        try body(url.path)
    }

    @Test func readsTheGeometryOfAFile() throws {
        try withDisk([UInt8](repeating: 0, count: 12345)) { (path: String) throws in
            let geometry = try DeviceGeometry(of: File(path))
            #expect(geometry.byteCount == 12345)
            #expect(geometry.sectorSize == 512)
            #expect(try !isBlockDevice(path))
        }
        #expect(try !isBlockDevice("/dev/null"))
        let failure = #expect(throws: Failure.self) { try isBlockDevice("/nowhere/disk") }
        #expect(failure?.description == "look at /nowhere/disk: No such file or directory")
    }
}
