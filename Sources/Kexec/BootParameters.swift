// SPDX-License-Identifier: Apache-2.0
import Basics

/// An entry of the memory map that a boot loader passes to the kernel.
public struct E820Entry: Equatable, Sendable {
    /// The types of the ACPI specification, "System Address Map Interfaces", and two of Linux (6.12,
    /// arch/x86/include/asm/e820/types.h).
    public enum Kind: UInt32, CaseIterable, Sendable {
        case memory = 1
        case reserved = 2
        case acpiTables = 3
        case acpiNonVolatile = 4
        case unusable = 5
        case persistentMemory = 7
        case legacyPersistentMemory = 12
        /// A type of which Linux knows no name.
        case unknown = 20
        case softReserved = 0xefff_ffff
    }

    public var addresses: PhysicalRange
    public var kind: Kind

    public init(addresses: PhysicalRange, kind: Kind) {
        self.addresses = addresses
        self.kind = kind
    }

    /// The kind for a name of /proc/iomem (6.12, arch/x86/kernel/e820.c, `e820_type_to_string`); nil for memory and for names
    /// of devices. A type without a name (16 and 20 exist in practice) becomes reserved.
    public static func kind(named name: String) -> Kind? {
        switch name {
        case "Reserved", "reserved", "Unknown E820 type": .reserved
        case "ACPI Tables": .acpiTables
        case "ACPI Non-volatile Storage": .acpiNonVolatile
        case "Unusable memory": .unusable
        case "Persistent Memory": .persistentMemory
        case "Persistent Memory (legacy)": .legacyPersistentMemory
        case "Soft Reserved": .softReserved
        default: nil
        }
    }

    /// The entry that makes a kernel show a range of the firmware's memory map (/sys/firmware/memmap) as it is.
    public init(_ range: FirmwareRange) {
        addresses = range.addresses
        kind =
            switch range.type {
            case "System RAM": .memory
            case "Unknown E820 type": .unknown
            default: E820Entry.kind(named: range.type) ?? .reserved
            }
    }

    /// Merges adjacent and overlapping entries of one kind. The result has memory first, then ACPI's ranges, then the others,
    /// the largest first: some kernels ignore entries beyond a limit. Entries of different kinds may overlap; the kernel
    /// resolves that and sorts them (`e820__update_table`).
    public static func merged(_ entries: [E820Entry]) -> [E820Entry] {
        func merged(_ kind: Kind) -> [E820Entry] {
            entries.filter { $0.kind == kind }.map { $0.addresses }.normalized()
                .map { E820Entry(addresses: $0, kind: kind) }
        }
        let first: [Kind] = [.memory, .acpiTables, .acpiNonVolatile]
        let others = Kind.allCases.filter { !first.contains($0) }.flatMap { merged($0) }
            .sorted {
                ($1.addresses.byteCount, $0.addresses.lowerBound) < ($0.addresses.byteCount, $1.addresses.lowerBound)
            }
        return first.flatMap { merged($0) } + others
    }

    /// The encoding in boot_params and setup_data: address, size, type.
    fileprivate var encoded: [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(littleEndian: addresses.lowerBound)
        bytes.append(littleEndian: addresses.byteCount)
        bytes.append(littleEndian: kind.rawValue)
        return bytes
    }
}

/// `struct boot_params`, the zero page (Documentation/arch/x86/zero-page.rst).
struct BootParameters {
    static let byteCount = 4096
    /// The maximum number of entries in the page. Further entries follow as setup data.
    static let maximumE820Entries = 128
    static let e820EntryByteCount = 20
    /// The maximum number of entries in all: the kernel maps setup data in one piece of at most 256 KiB (6.12,
    /// arch/x86/mm/ioremap.c, `early_memremap`).
    static let maximumE820EntriesInAll = 8192

    /// Encodes the entries of the memory map that do not fit into the page, as one `struct setup_data` of type SETUP_E820_EXT
    /// (Documentation/arch/x86/boot.rst, "setup_data"); empty if there are none.
    /// - Throws: if there are more than `maximumE820EntriesInAll` entries.
    static func setupData(e820: [E820Entry]) throws(Failure) -> [UInt8] {
        guard e820.count <= maximumE820EntriesInAll else {
            throw Failure(
                "load", "kernel B", "the memory map has \(e820.count) ranges, more than \(maximumE820EntriesInAll)")
        }
        guard e820.count > maximumE820Entries else { return [] }
        let entries = e820[maximumE820Entries...]
        var bytes: [UInt8] = []
        bytes.append(littleEndian: UInt64(0))  // next: none
        bytes.append(littleEndian: UInt32(1))  // SETUP_E820_EXT
        bytes.append(littleEndian: UInt32(entries.count * e820EntryByteCount))
        for entry in entries { bytes += entry.encoded }
        return bytes
    }

    /// Encodes the page.
    /// - Parameters:
    ///   - commandLine: the physical address of the command line.
    ///   - e820: the memory map. Only the entries that fit are encoded; see `setupData(e820:)`.
    ///   - setupData: the physical address of the setup data; 0 for none.
    ///   - rsdp: the physical address of ACPI's RSDP; with 0, the kernel searches the places in which a BIOS puts it.
    ///   - own: the running kernel's boot_params, which have the console's screen; empty if unknown.
    static func encoded(
        _ kernel: BzImage, commandLine: UInt64, initrd: PhysicalRange, e820: [E820Entry], setupData: UInt64,
        rsdp: UInt64, own: [UInt8]
    ) -> [UInt8] {
        var page = [UInt8](repeating: 0, count: byteCount)
        // screen_info
        if own.count == byteCount { page.put(own.prefix(0x40), at: 0, limit: 0x40) }
        page.put(kernel.bytes[kernel.setupHeader], at: kernel.setupHeader.lowerBound, limit: kernel.setupHeader.count)
        page.put(rsdp, at: 0x70)
        page.put(UInt8(0xff), at: 0x210)  // type_of_loader: a loader without a number
        page.put(UInt32(truncatingIfNeeded: initrd.lowerBound), at: 0x218)
        page.put(UInt32(truncatingIfNeeded: initrd.byteCount), at: 0x21c)
        page.put(UInt32(truncatingIfNeeded: commandLine), at: 0x228)
        page.put(setupData, at: 0x250)
        let entries = e820.prefix(maximumE820Entries)
        page.put(UInt8(entries.count), at: 0x1e8)
        for (i, entry) in entries.enumerated() {
            page.put(entry.encoded, at: 0x2d0 + i * e820EntryByteCount, limit: e820EntryByteCount)
        }
        return page
    }
}
