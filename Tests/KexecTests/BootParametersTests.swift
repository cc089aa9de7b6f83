// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import Kexec

@Suite struct BootParametersTests {
    /// Every name that arch/x86/kernel/e820.c has, and those of devices.
    @Test(
        arguments: [
            ("Reserved", .reserved), ("reserved", .reserved), ("ACPI Tables", .acpiTables),
            ("ACPI Non-volatile Storage", .acpiNonVolatile), ("Unusable memory", .unusable),
            ("Persistent Memory", .persistentMemory), ("Persistent Memory (legacy)", .legacyPersistentMemory),
            ("Soft Reserved", .softReserved), ("Unknown E820 type", .reserved), ("System RAM", nil),
            ("System RAM (kmem)", nil), ("RAM buffer", nil), ("PCI Bus 0000:00", nil),
            ("PCI MMCONFIG 0000 [bus 00-3f]", nil),
            ("Local APIC", nil), ("System ROM", nil),
        ] as [(String, E820Entry.Kind?)])
    func knowsTheNamesOfReservedMemory(name: String, kind: E820Entry.Kind?) {
        #expect(E820Entry.kind(named: name) == kind)
    }

    /// Types of Linux's own, by the numbers that the kernel gives them.
    @Test func hasTheKernelsNumbers() {
        #expect(
            E820Entry.Kind.allCases.map(\.rawValue) == [1, 2, 3, 4, 5, 7, 12, 20, 0xefff_ffff])
    }

    @Test func mergesNeighboursOfOneKind() {
        func entry(_ range: PhysicalRange, _ kind: E820Entry.Kind) -> E820Entry {
            E820Entry(addresses: range, kind: kind)
        }
        let merged = E820Entry.merged([
            entry(0x5000..<0x6000, .reserved), entry(0x1000..<0x2000, .reserved), entry(0x2000..<0x3000, .reserved),
            entry(0x3000..<0x4000, .acpiTables), entry(0x1800..<0x1900, .reserved), entry(0x4000..<0x5000, .reserved),
        ])
        #expect(
            merged == [
                entry(0x3000..<0x4000, .acpiTables), entry(0x1000..<0x3000, .reserved),
                entry(0x4000..<0x6000, .reserved),
            ])
    }

    /// A kernel without NUMA takes the first 131: what it cannot do without comes first.
    @Test func putsTheMostImportantKindsFirst() {
        func entry(_ range: PhysicalRange, _ kind: E820Entry.Kind) -> E820Entry {
            E820Entry(addresses: range, kind: kind)
        }
        let merged = E820Entry.merged([
            entry(0x1000..<0x2000, .reserved), entry(0x3000..<0x6000, .unusable),
            entry(0x7000..<0x8000, .acpiNonVolatile),
            entry(0x9000..<0xa000, .acpiTables), entry(0xf000..<0xf800, .softReserved),
            entry(0x10000..<0x11000, .memory),
            entry(0xb000..<0xd000, .reserved),
        ])
        #expect(
            merged.map { $0.kind } == [
                .memory, .acpiTables, .acpiNonVolatile, .unusable, .reserved, .reserved, .softReserved,
            ])
        #expect(merged[4].addresses == 0xb000..<0xd000)
    }

    @Test(arguments: PayloadFixture.memories)
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

    /// boot_params has room for 128 ranges, three of which are ours: below, above and around the core header. The others
    /// follow as setup data, of which nothing is left out.
    @Test(arguments: [125, 126, 200, 1000, 8189] as [UInt64])
    func describesMemoryOfManyRanges(count: UInt64) throws {
        let reserved = (0..<count).map { i in
            let start = 0x1_0000_0000 + i * 8192
            return E820Entry(addresses: start..<start + 4096, kind: .reserved)
        }
        let plan = try LoadPlan(plainKernelB([0x10_0000..<0x800_0000], reserved: reserved))
        let page = Array(try #require(plan.pieces.first { $0.name == "boot_params" }).bytes)
        let data = plan.pieces.first { $0.name == "memory map" }
        #expect(try page.field(at: 0x250, as: UInt64.self) == data?.address ?? 0)
        var table = Array(page[0x2d0..<0x2d0 + Int(page[0x1e8]) * 20])
        if count == 125 {
            #expect(data == nil)
        } else {
            let bytes = Array(try #require(data).bytes)
            // next, SETUP_E820_EXT, size
            #expect(try bytes.field(at: 0, as: UInt64.self) == 0 && bytes.field(at: 8, as: UInt32.self) == 1)
            #expect(try Int(bytes.field(at: 12, as: UInt32.self)) == bytes.count - 16)
            table += bytes[16...]
        }
        #expect(table.count == 20 * Int(count + 3))
        var found: [PhysicalRange] = []
        for at in stride(from: 0, to: table.count, by: 20) where try table.field(at: at + 16, as: UInt32.self) == 2 {
            let start: UInt64 = try table.field(at: at), size: UInt64 = try table.field(at: at + 8)
            if start >= 1 << 32 { found.append(start..<start + size) }
        }
        #expect(found == reserved.map(\.addresses))
        let used = plan.pieces.map(\.addresses)
        #expect(used.normalized().byteCount == used.byteCount, "pieces overlap")
    }

    @Test func refusesMoreRangesThanTheKernelTakes() throws {
        let reserved = (0..<8190 as Range<UInt64>).map { i in
            E820Entry(addresses: 1 << 32 + i * 8192..<1 << 32 + i * 8192 + 4096, kind: .reserved)
        }
        let refusal = reason(try plainKernelB([0x10_0000..<0x800_0000], reserved: reserved))
        #expect(refusal?.contains("the memory map has 8193 ranges, more than 8192") == true)
    }
}
