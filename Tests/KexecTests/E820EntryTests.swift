// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import Kexec

/// The firmware's ranges as kernel B gets them.
@Suite struct E820EntryTests {
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
            E820Entry.Kind.allCases.map(\.rawValue) == [1, 2, 3, 4, 5, 7, 12, 0xefff_ffff])
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
    @Test func putsFirstWhatMattersMost() {
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
}
