// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import Kexec

@Suite struct JumpBackTests {
    private static let room: [PhysicalRange] = [0x1000..<0x9f000, 0x10_0000..<0x800_0000]

    @Test func putsStubAndTablesAboveLowMemory() throws {
        let jump = try JumpBack(
            entry: 0x1_8000_0123, mapEnd: 0x1_c000_0000, available: Self.room, hasGibibytePages: false)
        #expect(jump.destination.lowerBound == 1 << 20)
        #expect(jump.destination.upperBound % 4096 == 0)
        #expect(UInt64(jump.bytes.count) <= jump.destination.byteCount)
        // The stub's page is the last, and its parameters are its last four words: roots, stack, entry.
        #expect(jump.entry == jump.destination.upperBound - 4096)
        let parameters = jump.bytes.count - 32
        #expect(try jump.bytes.field(at: parameters) == (1 << 20) + UInt64(4096))
        #expect(try jump.bytes.field(at: parameters + 8) == UInt64(1 << 20))
        let stack: UInt64 = try jump.bytes.field(at: parameters + 16)
        #expect(stack >= jump.entry + UInt64(jump.bytes.count) % 4096 && stack + 8 <= jump.destination.upperBound)
        #expect(try jump.bytes.field(at: parameters + 24) == UInt64(0x1_8000_0123))
    }

    /// The local APIC is mapped in a machine with little memory, too.
    @Test func mapsTheLocalAPIC() throws {
        let jump = try JumpBack(entry: 0x9000, mapEnd: 1 << 30, available: Self.room, hasGibibytePages: false)
        #expect(jump.destination.byteCount == 4096 * (try IdentityMap.pageCount(end: 0xfee0_1000, .mebibytes2) + 1))
    }

    /// A range of room that begins in the first MiB is used from there on.
    @Test func usesTheRangeAboveLowMemory() throws {
        let jump = try JumpBack(
            entry: 0x9000, mapEnd: 1 << 30, available: [0x1000..<0x20_0000], hasGibibytePages: false)
        #expect(jump.destination.lowerBound == 1 << 20)
        #expect(throws: Failure.self) {
            try JumpBack(entry: 0x9000, mapEnd: 1 << 30, available: [0x1000..<0x10_2000], hasGibibytePages: false)
        }
    }

    @Test func refusesTooLittleMemory() {
        #expect(throws: Failure.self) {
            try JumpBack(entry: 0x9000, mapEnd: 0x9000, available: Self.room, hasGibibytePages: false)
        }
        #expect(throws: Failure.self) {
            try JumpBack(entry: 0x9000, mapEnd: 1 << 40, available: [0x10_0000..<0x10_4000], hasGibibytePages: false)
        }
        #expect(throws: Failure.self) {
            try JumpBack(entry: 0x9000, mapEnd: 1 << 30, available: [0x1000..<0x9f000], hasGibibytePages: false)
        }
    }

    /// 32 TiB of addresses, and 8 MiB of memory to jump from: with pages of 1 GiB there is room for the tables.
    @Test func mapsTerabytesFromLittleMemory() throws {
        let room: [PhysicalRange] = [0x10_0000..<0x90_0000]
        let failure = #expect(throws: Failure.self) {
            try JumpBack(entry: 0x9000, mapEnd: 32 << 40, available: room, hasGibibytePages: false)
        }
        #expect(failure?.description.contains("128.2 MiB of page tables") == true)
        let jump = try JumpBack(entry: 0x9000, mapEnd: 32 << 40, available: room, hasGibibytePages: true)
        #expect(room.covers(jump.destination) && jump.destination.byteCount < 1 << 20)
    }

    @Test func usesTheFirstRangeThatIsLargeEnough() throws {
        let room: [PhysicalRange] = [0x1000..<0x9f000, 0x10_0000..<0x10_4000, 0x20_0000..<0x800_0000]
        let jump = try JumpBack(entry: 0x1_8000_0000, mapEnd: 0x2_0000_0000, available: room, hasGibibytePages: false)
        #expect(jump.destination.lowerBound == 0x20_0000)
        #expect(room.covers(jump.destination))
        #expect(UInt64(jump.bytes.count) <= jump.destination.byteCount)
        // Exactly enough is enough; 4 GiB are mapped, for the local APIC.
        let exact = try JumpBack(entry: 0, mapEnd: 1 << 30, available: [0x10_0000..<0x10_8000], hasGibibytePages: false)
        #expect(exact.destination == 0x10_0000..<0x10_8000)
        #expect(throws: Failure.self) {
            try JumpBack(entry: 0, mapEnd: 1 << 30, available: [], hasGibibytePages: false)
        }
    }

    /// Here a sum that is not checked would trap, and end the test program.
    @Test func refusesAnEntryAtTheEndOfAllAddresses() {
        #expect(throws: Failure.self) {
            try JumpBack(
                entry: 0xffff_ffff_9000_0000, mapEnd: 0xffff_ffff_d000_0000, available: [0x10_0000..<0x800_0000],
                hasGibibytePages: true)
        }
    }
}
