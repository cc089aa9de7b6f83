// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Linux
import Testing

@testable import PhysicalMemory

/// Memory that no map names is written to and read back before anything is put there.
@Suite struct MemoryProofTests {
    private static let ranges: [PhysicalRange] = [0x1_0000_0000..<0x1_1000_0000, 0x2_0000_0000..<0x2_0000_1000]

    /// Pages by address, as a machine has them, each in a file: what is written stays, if there is memory.
    private final class Machine {
        private let file = TemporaryFile()
        private(set) var places: [UInt64] = []
        /// The address that answers for another.
        var alias: (UInt64) -> UInt64 = { $0 }
        var missing: Set<UInt64> = []

        init() throws { try Data(count: 64 << 10).write(to: file.url) }

        func map(_ address: UInt64) throws(Failure) -> Mapping {
            let place = alias(address)
            // Nobody keeps what is written to an address without memory.
            if missing.contains(place) { return try Mapping(anonymous: 4096) }
            if !places.contains(place) { places.append(place) }
            let number = UInt64(places.firstIndex(of: place) ?? 0)
            return try MemoryDevice(file.url.path).map(number * 4096..<(number + 1) * 4096)
        }
    }

    private func prove(_ machine: Machine) -> String? {
        do throws(Failure) {
            try proveMemory(Self.ranges) { (address) throws(Failure) in try machine.map(address) }
            return nil
        } catch { return error.reason }
    }

    @Test func probesBothEndsOfEachBlock() {
        #expect(
            probedPages(Self.ranges) == [
                0x1_0000_0000, 0x1_07ff_f000, 0x1_0800_0000, 0x1_0fff_f000, 0x2_0000_0000,
            ])
        #expect(
            probedPages([0x1_0400_0000..<0x1_0900_0000]) == [
                0x1_0400_0000, 0x1_07ff_f000, 0x1_0800_0000, 0x1_08ff_f000,
            ])
        #expect(probedPages([]) == [])
    }

    @Test func acceptsMemoryThatAnswers() throws {
        let machine = try Machine()
        #expect(prove(machine) == nil)
        #expect(machine.places.count == 5)
    }

    @Test(arguments: [0x1_0000_0000, 0x1_0fff_f000, 0x2_0000_0000] as [UInt64])
    func namesMemoryThatIsMissing(address: UInt64) throws {
        let machine = try Machine()
        machine.missing = [address]
        #expect(prove(machine) == "it had memory at 0x\(hexadecimal(address)), but this machine has none there")
    }

    /// A smaller module in the same place answers at two addresses.
    @Test func detectsMemoryThatAnswersTwice() throws {
        let machine = try Machine()
        machine.alias = { $0 & ~0x800_0000 }
        #expect(prove(machine) == "it had memory at 0x100000000, but this machine has none there")
    }

    /// What belongs to a device is not written to.
    @Test(
        arguments: [
            ("1f0000000-2ffffffff : PCI Bus 0000:00\n", false), ("100001000-100001fff : Reserved\n", false),
            ("200000000-2000000ff : System RAM\n", false), ("08000000-0bffffff : RAM buffer\n", true),
            ("0f0000000-0ffffffff : PCI Bus 0000:00\n", true), ("100000000-103ffffff : RAM buffer\n", true),
        ])
    func refusesToWriteToDevices(table: String, isAllowed: Bool) throws {
        let entries = try parseIOMemory(table)
        #expect(
            ((try? MemoryDevice.requireNothingElse(at: Self.ranges, entries)) != nil) == isAllowed, "\(table)")
    }
}
