// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import MemoryImage
import Testing

@testable import Hibernation

/// CPUs that are there, as the firmware's table has them.
@Suite struct PresentProcessorsTests {
    private func table(_ entries: [[UInt8]]) -> [UInt8] {
        var bytes = Array("APIC".utf8) + [UInt8](repeating: 0, count: 40)
        for entry in entries { bytes += entry }
        return bytes
    }

    private static func local(_ identifier: UInt8, _ flags: UInt8) -> [UInt8] {
        [0, 8, identifier, identifier, flags, 0, 0, 0]
    }

    private static func extended(_ identifier: UInt32, _ flags: UInt8) -> [UInt8] {
        var bytes: [UInt8] = [9, 16, 0, 0]
        bytes.append(littleEndian: identifier)
        return bytes + [flags, 0, 0, 0, 0, 0, 0, 0]
    }

    /// One that could be plugged in is not there; one with two entries is one.
    @Test func countsEnabledCPUs() throws {
        let entries = [
            Self.local(0, 1), Self.local(1, 1), Self.local(2, 0), Self.local(3, 2), Self.local(0xff, 1),
            // An I/O APIC and an interrupt source override between them.
            [1, 12, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0], [2, 10, 0, 0, 1, 0, 0, 0, 1, 0],
            Self.extended(1, 1), Self.extended(300, 1), Self.extended(301, 0), Self.extended(.max, 1),
        ]
        #expect(try enabledProcessorCount(interruptTable: table(entries)) == 3)
        #expect(try enabledProcessorCount(interruptTable: table([])) == 0)
        #expect(try enabledProcessorCount(interruptTable: []) == 0)
    }

    @Test func countsManyCPUs() throws {
        let entries = (0..<240).map { Self.local(UInt8($0), $0 < 2 ? 1 : 0) }
        #expect(try enabledProcessorCount(interruptTable: table(entries)) == 2)
        let many = (0..<1000).map { Self.extended(UInt32($0), 1) }
        #expect(try enabledProcessorCount(interruptTable: table(many)) == 1000)
    }

    @Test(arguments: [[0, 0], [0, 1], [0, 8, 1], [9, 200, 0, 0]] as [[UInt8]])
    func refusesMalformedTables(entry: [UInt8]) {
        #expect(throws: Failure.self) { try enabledProcessorCount(interruptTable: table([entry])) }
    }

    @Test func readsTheTable() throws {
        #expect(try PresentProcessors.inFirmware("/nowhere") == nil)
        let path = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data(table([Self.local(0, 1), Self.local(1, 1)])).write(to: URL(filePath: path))
        #expect(try PresentProcessors.inFirmware(path) == PresentProcessors(count: 2, isInFirmware: true))
        // A table without CPUs says nothing.
        try Data(table([])).write(to: URL(filePath: path))
        #expect(try PresentProcessors.inFirmware(path) == nil)
    }
}
