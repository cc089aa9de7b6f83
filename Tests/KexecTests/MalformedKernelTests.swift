// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import Testing

@testable import Kexec

@Suite struct MalformedKernelTests {
    /// Every field of the setup header with values that nobody writes: refused, or there is a plan, or none; no trap.
    @Test func survivesEveryByteOfTheSetupHeader() throws {
        let whole = BzImageFixture().bytes
        var accepted = 0
        for i in 0x1f1..<0x270 {
            for value: UInt8 in [0, 1, 0x7f, 0x80, 0xff] {
                var bytes = whole
                bytes[i] = value
                guard let kernel = try? BzImage(bytes, path: "/boot/vmlinuz") else { continue }
                accepted += 1
                #expect(kernel.payloadByteCount > 0 && UInt64(kernel.payloadByteCount) <= kernel.initByteCount)
                #expect(kernel.setupHeader.upperBound <= 0x290, "it would reach into the memory map")
                _ = try? LoadPlan(
                    KexecPayload(
                        kernel: kernel, initrd: [1], commandLine: "", backupRanges: [0x10_0000..<0x800_0000],
                        savedRanges: [], reservedEntries: [], notes: [], rsdp: 0, ownBootParameters: []))
            }
        }
        #expect(accepted > 0)
    }

    @Test func refusesEveryTruncation() {
        let whole = BzImageFixture().bytes
        for count in Array(stride(from: 0, to: 0x1000, by: 61)) + [0x1fe, 0x202, 0x206, 0x264, 0xfff] {
            #expect(throws: Failure.self, "\(count) bytes") { try BzImage(Array(whole.prefix(count)), path: "x") }
        }
    }
}

@Suite struct LargeMachineTests {
    /// Tables for memory of up to the size that machines have: their number, and where they begin.
    @Test(
        arguments: [
            (1, 4), (1 << 30, 4), (1 << 30 + 1, 5), (512 << 30, 515), (512 << 30 + 1, 517), (600 << 30, 604),
            (6 << 40, 2 + 12 + 6144),
        ] as [(UInt64, UInt64)])
    func countsThePagesOfTheTables(end: UInt64, pages: UInt64) throws {
        #expect(try IdentityMap.pageCount(end: end, .mebibytes2) == pages)
    }

    @Test func putsTheWayBackIntoTheFirstRangeWithRoom() throws {
        let room: [PhysicalRange] = [0x1000..<0x9f000, 0x10_0000..<0x10_4000, 0x20_0000..<0x800_0000]
        let jump = try JumpBack(entry: 0x1_8000_0000, mapEnd: 0x2_0000_0000, room: room, hasGibibytePages: false)
        #expect(jump.destination.lowerBound == 0x20_0000)
        #expect(room.covers(jump.destination))
        #expect(UInt64(jump.bytes.count) <= jump.destination.byteCount)
        // Exactly enough is enough; 4 GiB are mapped, for the local APIC.
        let exact = try JumpBack(entry: 0, mapEnd: 1 << 30, room: [0x10_0000..<0x10_8000], hasGibibytePages: false)
        #expect(exact.destination == 0x10_0000..<0x10_8000)
        #expect(throws: Failure.self) { try JumpBack(entry: 0, mapEnd: 1 << 30, room: [], hasGibibytePages: false) }
    }
}
