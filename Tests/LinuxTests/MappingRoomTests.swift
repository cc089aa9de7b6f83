import Basics
import Foundation
import Testing

@testable import Linux

/// Mappings that go away together.
@Suite struct MappingRoomTests {
    private static let page = Int(pageSize)
    private let path = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)")
        .path

    /// A file of 16 pages, each full of its number.
    private func file() throws -> File {
        var bytes = Data()
        for number in 0..<16 as Range<UInt8> { bytes += Data(repeating: number, count: Self.page) }
        try bytes.write(to: URL(filePath: path))
        return try File(path, .write)
    }

    private func delete() { try? FileManager.default.removeItem(atPath: path) }

    @Test func mapsPartsBehindEachOther() throws {
        let file = try file()
        defer { delete() }
        var room = try MappingRoom(4 * Self.page)
        let first = try room.map(file, offset: 0, count: Self.page, isWritable: false)
        let second = try room.map(file, offset: 5 * pageSize, count: 2 * Self.page, isWritable: false)
        #expect(first.allSatisfy { $0 == 0 } && first.count == Self.page)
        #expect(second[0] == 5 && second[2 * Self.page - 1] == 6)
        #expect(second.baseAddress == first.baseAddress?.advanced(by: Self.page))
        // One page is left: it begins anew.
        let third = try room.map(file, offset: 9 * pageSize, count: 2 * Self.page, isWritable: false)
        #expect(third.baseAddress == first.baseAddress)
        #expect(third[0] == 9 && third[2 * Self.page - 1] == 10)
    }

    @Test func sharesWhatIsWritable() throws {
        let file = try file()
        defer { delete() }
        do {
            var room = try MappingRoom(Self.page)
            try room.map(file, offset: 3 * pageSize, count: Self.page, isWritable: true)[7] = 0x5a
        }
        let bytes = try Data(contentsOf: URL(filePath: path))
        #expect(bytes[3 * Self.page + 7] == 0x5a && bytes[3 * Self.page + 8] == 3)
    }

    /// What cannot be mapped leaves the room as it was.
    @Test func goesOnAfterARefusal() throws {
        let file = try file()
        defer { delete() }
        var room = try MappingRoom(2 * Self.page)
        let first = try room.map(file, offset: 0, count: Self.page, isWritable: false)
        for (offset, count) in [(1, Self.page), (UInt64.max, Self.page), (0, 3 * Self.page)] as [(UInt64, Int)] {
            do throws(Failure) {
                _ = try room.map(file, offset: offset, count: count, isWritable: false)
                Issue.record("\(count) bytes at \(offset) were mapped")
            } catch { #expect(error.description.contains(path)) }
        }
        let second = try room.map(file, offset: pageSize, count: Self.page, isWritable: false)
        #expect(second.baseAddress == first.baseAddress?.advanced(by: Self.page))
        #expect(first[0] == 0 && second[0] == 1)
    }
}
