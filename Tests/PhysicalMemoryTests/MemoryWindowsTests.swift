// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Linux
import Testing

@testable import PhysicalMemory

/// Windows onto memory, here onto a file with holes.
@Suite struct MemoryWindowsTests {
    private static let size = MemoryWindows.byteCount
    private static let memory: PhysicalRange = 0..<8 * size

    /// Where a page says where it lies.
    private static let marked: [UInt64] = [
        0, size - pageSize, size, 3 * size + 5 * pageSize, 7 * size, 8 * size - pageSize,
    ]

    private func withDevice(_ body: (MemoryDevice, String) throws -> Void) throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)").path
        #expect(FileManager.default.createFile(atPath: path, contents: nil))
        defer { try? FileManager.default.removeItem(atPath: path) }
        let handle = try FileHandle(forUpdating: URL(filePath: path))
        try handle.truncate(atOffset: Self.memory.upperBound)
        for address in Self.marked {
            try handle.seek(toOffset: address)
            try handle.write(contentsOf: withUnsafeBytes(of: address) { Data($0) })
        }
        try body(try MemoryDevice(path), path)
    }

    /// Bytes of each mapping of a file (proc(5), /proc/pid/maps).
    private func mappings(of path: String) throws -> [UInt64] {
        try readText("/proc/self/maps").split(separator: "\n").filter { $0.hasSuffix(path) }.map { line in
            let bounds = line.prefix { $0 != " " }.split(separator: "-").compactMap { UInt64($0, radix: 16) }
            try #require(bounds.count == 2)
            return bounds[1] - bounds[0]
        }
    }

    @Test func mapsTheRequestedMemory() throws {
        try withDevice { device, _ in
            let windows = MemoryWindows(device, allowed: [Self.memory], limit: 2)
            var view = MemoryView(windows)
            for address in Self.marked + Self.marked.reversed() {
                let memory = try view.memory(for: address..<address + pageSize)
                #expect(memory.count == Int(pageSize))
                #expect(memory.load(as: UInt64.self) == address)
            }
        }
    }

    @Test func writesIntoTheMemory() throws {
        try withDevice { device, path in
            do {
                var view = MemoryView(MemoryWindows(device, allowed: [Self.memory], limit: 1))
                try view.memory(for: 2 * Self.size..<2 * Self.size + pageSize)[7] = 0x5a
            }
            let handle = try FileHandle(forReadingFrom: URL(filePath: path))
            try handle.seek(toOffset: 2 * Self.size)
            #expect(try handle.read(upToCount: 9) == Data([0, 0, 0, 0, 0, 0, 0, 0x5a, 0]))
        }
    }

    /// What lies across the end of a window is shown as a whole.
    @Test func mapsARangeAcrossTwoWindows() throws {
        try withDevice { device, _ in
            var view = MemoryView(MemoryWindows(device, allowed: [Self.memory], limit: 1))
            let memory = try view.memory(for: Self.size - pageSize..<Self.size + pageSize)
            #expect(memory.load(as: UInt64.self) == Self.size - pageSize)
            #expect(memory.load(fromByteOffset: Int(pageSize), as: UInt64.self) == Self.size)
        }
    }

    @Test func sharesItsWindows() throws {
        try withDevice { device, path in
            let windows = MemoryWindows(device, allowed: [Self.memory], limit: 2)
            var one = MemoryView(windows)
            var other = MemoryView(windows)
            let first = try one.memory(for: 0..<pageSize)
            let second = try other.memory(for: Self.size - pageSize..<Self.size)
            #expect(second.baseAddress == first.baseAddress?.advanced(by: Int(Self.size - pageSize)))
            #expect(try mappings(of: path).count == 1)
        }
    }

    @Test func keepsTheLatestWindowsAndThoseInUse() throws {
        try withDevice { device, path in
            let windows = MemoryWindows(device, allowed: [Self.memory], limit: 2)
            do {
                var holder = MemoryView(windows)
                let held = try holder.memory(for: 0..<pageSize)
                do {
                    var passer = MemoryView(windows)
                    for number in 1..<8 as Range<UInt64> {
                        _ = try passer.memory(for: number * Self.size..<number * Self.size + pageSize)
                    }
                    #expect(try mappings(of: path).count == 3)
                    held[0] = 1
                }
                #expect(try holder.memory(for: 0..<pageSize).baseAddress == held.baseAddress)
            }
            #expect(try mappings(of: path).count == 2)
        }
    }

    /// Memory around what may be shown is not even mapped.
    @Test func refusesRangesThatAreNotAllowed() throws {
        try withDevice { device, path in
            let allowed: [PhysicalRange] = [
                Self.size + pageSize..<Self.size + 4 * pageSize, 2 * Self.size..<3 * Self.size,
            ]
            let windows = MemoryWindows(device, allowed: allowed, limit: 2)
            var view = MemoryView(windows)
            for addresses in [
                0..<pageSize as PhysicalRange, Self.size..<Self.size + 2 * pageSize,
                Self.size + 3 * pageSize..<Self.size + 5 * pageSize,
                Self.size + 2 * pageSize..<2 * Self.size + pageSize,
                3 * Self.size - pageSize..<3 * Self.size + pageSize,
            ] {
                do throws(Failure) {
                    _ = try view.memory(for: addresses)
                    Issue.record("\(addresses) is shown")
                } catch { #expect(error.description.contains("not memory that kernel A saved")) }
            }
            #expect(try mappings(of: path).count == 0)
            let shown = try view.memory(for: allowed[0])
            #expect(try mappings(of: path) == [3 * pageSize])
            #expect(try view.memory(for: allowed[0]).baseAddress == shown.baseAddress)
        }
    }
}
