import Basics

/// A line of the memory map that a boot loader hands to the kernel.
public struct E820Entry: Equatable, Sendable {
    /// Types of the ACPI specification, "System Address Map Interfaces".
    public enum Kind: UInt32, Sendable {
        case memory = 1
        case reserved = 2
        case acpiTables = 3
        case acpiNonVolatile = 4
        case persistentMemory = 7
    }

    public var addresses: AddressRange
    public var kind: Kind

    public init(addresses: AddressRange, kind: Kind) {
        self.addresses = addresses
        self.kind = kind
    }

    /// The kind that a name of /proc/iomem stands for (arch/x86/kernel/e820.c, `e820_type_to_string`); nil for memory
    /// and for names of devices.
    public static func kind(named name: String) -> Kind? {
        switch name {
        case "Reserved", "reserved": .reserved
        case "ACPI Tables": .acpiTables
        case "ACPI Non-volatile Storage": .acpiNonVolatile
        case "Persistent Memory", "Persistent Memory (legacy)": .persistentMemory
        default: nil
        }
    }
}

/// `struct boot_params`, the zero page (Documentation/arch/x86/zero-page.rst).
struct BootParameters {
    static let byteCount = 4096
    static let maximumE820Entries = 128

    /// - Parameters:
    ///   - own: the running kernel's boot_params where they are known: the console's screen is taken from them.
    ///   - rsdp: physical address of ACPI's root table; 0 leaves the kernel to look for it where a BIOS puts it.
    static func encoded(
        _ kernel: BzImage, commandLine: UInt64, initrd: AddressRange, e820: [E820Entry], rsdp: UInt64, own: [UInt8]
    ) throws(Failure) -> [UInt8] {
        guard e820.count <= maximumE820Entries else {
            throw Failure(
                "load", "kernel B", "the memory map has \(e820.count) ranges, more than \(maximumE820Entries)")
        }
        var page = [UInt8](repeating: 0, count: byteCount)
        // screen_info
        if own.count == byteCount { page.put(own.prefix(0x40), at: 0, limit: 0x40) }
        page.put(kernel.bytes[kernel.setupHeader], at: kernel.setupHeader.lowerBound, limit: kernel.setupHeader.count)
        page.put(rsdp, at: 0x70)
        page.put(UInt8(0xff), at: 0x210)  // type_of_loader: none that has a number
        page.put(UInt32(truncatingIfNeeded: initrd.lowerBound), at: 0x218)
        page.put(UInt32(truncatingIfNeeded: initrd.byteCount), at: 0x21c)
        page.put(UInt32(truncatingIfNeeded: commandLine), at: 0x228)
        page.put(UInt8(e820.count), at: 0x1e8)
        for (i, entry) in e820.enumerated() {
            let at = 0x2d0 + i * 20
            page.put(entry.addresses.lowerBound, at: at)
            page.put(entry.addresses.byteCount, at: at + 8)
            page.put(entry.kind.rawValue, at: at + 16)
        }
        return page
    }
}
