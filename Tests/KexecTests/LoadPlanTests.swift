// SPDX-License-Identifier: Apache-2.0
import Basics
import ELF
import Testing

@testable import Kexec

@Suite struct LoadPlanTests {
    /// Memory as a BIOS gives it, and as OVMF does, with holes below 16 MiB.
    static let bios: [PhysicalRange] = [0x1000..<0x9f000, 0x10_0000..<0x800_0000]
    static let uefi: [PhysicalRange] = [
        0x1000..<0x9f000, 0x10_0000..<0x80_0000, 0x80_8000..<0x80_b000, 0x80_c000..<0x81_0000, 0x90_0000..<0x800_0000,
    ]
    static let saved: [PhysicalRange] = [0x800_0000..<0x4000_0000, 0x1_0000_0000..<0x1_4000_0000]
    static let reserved = [
        E820Entry(addresses: 0x4000_0000..<0x4001_0000, kind: .acpiTables),
        E820Entry(addresses: 0x9fc00..<0x10_0000, kind: .reserved),
    ]

    private func kernelB(_ backup: [PhysicalRange], initrd: Int = 1 << 20, words: String = "quiet") throws
        -> KexecPayload
    {
        KexecPayload(
            kernel: try BzImageFixture().parsed(), initrd: [UInt8](repeating: 0xdd, count: initrd), commandLine: words,
            backupRanges: backup, savedRanges: Self.saved, reservedEntries: Self.reserved,
            notes: [
                CoreNote(name: "VMCOREINFO", content: Array("A=1".utf8)), CoreNote(name: "Torpor", content: [1, 2]),
            ],
            rsdp: 0xf5a40, ownBootParameters: [UInt8](repeating: 0x11, count: 4096))
    }

    private func piece(
        _ plan: LoadPlan, _ name: String
    ) throws -> (address: UInt64, addresses: PhysicalRange, bytes: [UInt8]) {
        let piece = try #require(plan.pieces.first { $0.name == name })
        return (piece.address, piece.addresses, Array(piece.bytes))
    }

    @Test(arguments: [bios, uefi])
    func placesEverythingInTheBackupRanges(backup: [PhysicalRange]) throws {
        let plan = try LoadPlan(kernelB(backup))
        let kernel = try piece(plan, "kernel")
        #expect(kernel.address >= 16 << 20 && kernel.address % (2 << 20) == 0)
        var used = plan.pieces.filter { $0.name != "kernel" }.map(\.addresses)
        // The kernel takes more than its file: nothing may lie there.
        used.append(kernel.address..<kernel.address + 20 << 20)
        for range in used {
            #expect(backup.covers(range))
            #expect(range.lowerBound >= 1 << 20, "low memory is the real-mode trampoline's")
        }
        #expect(used.normalized().byteCount == used.byteCount, "pieces overlap")
        #expect(plan.segments.normalized() == backup, "the segments are the whole backup range")
        #expect(plan.segments == plan.segments.sorted { $0.lowerBound < $1.lowerBound })
        #expect(plan.segments.count <= 16)
        #expect(kernel.bytes.count == BzImageFixture.payloadByteCount)
        let isPayload = kernel.bytes == BzImageFixture().bytes.suffix(BzImageFixture.payloadByteCount)
        #expect(isPayload)
    }

    @Test func leavesSixteenDigitsForTheEntry() throws {
        let plan = try LoadPlan(kernelB(Self.bios))
        let line = try piece(plan, "command line")
        let text = String(decoding: line.bytes.dropLast(), as: UTF8.self)
        #expect(line.bytes.last == 0)
        #expect(text.hasPrefix("nokaslr elfcorehdr=0x"))
        #expect(text.hasSuffix(" kexec_jump_back_entry=0x0000000000000000 quiet"))
        let digits = line.address + UInt64(text.utf8.count - 16 - " quiet".utf8.count)
        // The stub's parameters, its last four words: digits, boot_params, entry, stack.
        let stub = try piece(plan, "load stub")
        let parameters = stub.bytes.count - 32
        #expect(try stub.bytes.field(at: parameters) == digits)
        #expect(try stub.bytes.field(at: parameters + 8) == piece(plan, "boot_params").address)
        #expect(try stub.bytes.field(at: parameters + 16) == piece(plan, "kernel").address + 0x200)
        let stack: UInt64 = try stub.bytes.field(at: parameters + 24)
        #expect(stack == stub.address + 4096)
        #expect(plan.entry == stub.address)
        #expect(text.contains("elfcorehdr=0x\(hexadecimal(try piece(plan, "ELF core header").address)) "))
    }

    @Test(arguments: [bios, uefi])
    func describesTheMemoryToKernelB(backup: [PhysicalRange]) throws {
        let plan = try LoadPlan(kernelB(backup))
        let page = try piece(plan, "boot_params").bytes
        #expect(try page.field(at: 0, as: UInt8.self) == 0x11, "the screen")
        #expect(try page.field(at: 0x40, as: UInt8.self) == 0)
        #expect(try page.field(at: 0x70, as: UInt64.self) == 0xf5a40)
        #expect(try page.field(at: 0x210, as: UInt8.self) == 0xff)
        #expect(try page.field(at: 0x218, as: UInt32.self) == UInt32(piece(plan, "initrd").address))
        #expect(try page.field(at: 0x21c, as: UInt32.self) == 1 << 20)
        #expect(try page.field(at: 0x228, as: UInt32.self) == UInt32(piece(plan, "command line").address))
        #expect(try page.field(at: 0x258, as: UInt64.self) == 0x100_0000, "the setup header")
        var entries: [(PhysicalRange, UInt32)] = []
        for i in 0..<Int(try page.field(at: 0x1e8, as: UInt8.self)) {
            let start: UInt64 = try page.field(at: 0x2d0 + i * 20)
            let count: UInt64 = try page.field(at: 0x2d8 + i * 20)
            entries.append((start..<start + count as PhysicalRange, try page.field(at: 0x2e0 + i * 20)))
        }
        let core = try piece(plan, "ELF core header")
        let corePages: PhysicalRange = core.address..<(core.addresses.upperBound + 4095) & ~4095
        #expect(entries.filter { $0.1 == 1 }.map(\.0).normalized() == backup.subtracting([corePages]))
        #expect(entries.contains { $0.0 == corePages && $0.1 == 2 })
        #expect(entries.contains { $0.0 == 0x4000_0000..<0x4001_0000 && $0.1 == 3 })
        let kinds = entries.map { $0.1 }
        #expect(
            kinds.lastIndex(of: 1) ?? .max < kinds.firstIndex(of: 3) ?? 0, "memory, then ACPI's ranges, then others")
        #expect(kinds.lastIndex(of: 3) ?? .max < kinds.firstIndex(of: 2) ?? 0)
    }

    /// As kernel B's fs/proc/vmcore.c reads it.
    @Test func describesKernelAsMemory() throws {
        let plan = try LoadPlan(kernelB(Self.bios))
        let header = try piece(plan, "ELF core header")
        let core = try CoreReader(table: header.bytes)
        #expect(core.segments.map(\.addresses) == Self.saved)
        #expect(core.segments.map(\.fileOffset) == Self.saved.map(\.lowerBound))
        let note = try #require(core.notes.first)
        let start = Int(note.offset - header.address)
        #expect(start + Int(note.byteCount) == header.bytes.count)
        let notes = Array(header.bytes[start...])
        #expect(try CoreReader.note(named: "VMCOREINFO", in: notes) == Array("A=1".utf8))
        #expect(try CoreReader.note(named: "Torpor", in: notes) == [1, 2])
    }

    @Test func refusesWhatDoesNotFit() throws {
        func reason(_ b: KexecPayload) -> String {
            do throws(Failure) { _ = try LoadPlan(b) } catch { return error.description }
            return ""
        }
        #expect(
            try reason(kernelB(Self.bios, initrd: 120 << 20)).contains("do not fit below 128.0 MiB beside the kernel"))
        #expect(try reason(kernelB([0x1000..<0x9f000, 0x10_0000..<0x200_0000])).contains("use a larger --backup-end"))
        let line = String(repeating: "x", count: 2000)
        #expect(try reason(kernelB(Self.bios, words: line)).contains("the kernel takes 2047"))
        let pieces: [PhysicalRange] = (0..<17 as Range<UInt64>).map { $0 << 20..<$0 << 20 + 0x8_0000 }
        #expect(try reason(kernelB(pieces + [0x200_0000..<0x800_0000])).contains("kexec_load takes 16"))
    }
}

extension [UInt8] {
    /// A little-endian field.
    func field<T: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as type: T.Type = T.self) throws -> T {
        try span.bytes.integer(at: offset)
    }
}
