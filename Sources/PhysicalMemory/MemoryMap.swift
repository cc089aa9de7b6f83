import Basics
import Linux

/// A line of /proc/iomem: addresses and what they are for. Nested lines lie within the one above them.
public struct IOMemoryEntry: Equatable, Sendable {
    public var addresses: AddressRange
    public var name: String
    /// 0 for a line of its own, 1 for one that lies within it, and so on.
    public var depth: Int

    public init(addresses: AddressRange, name: String, depth: Int) {
        self.addresses = addresses
        self.name = name
        self.depth = depth
    }
}

/// The lines of /proc/iomem (kernel/resource.c, `r_show`): inclusive hexadecimal bounds, two spaces a level.
/// - Throws: where a line is malformed, and where all addresses are zero, as they are for any user but root.
public func parseIOMemory(_ text: String) throws(Failure) -> [IOMemoryEntry] {
    var entries: [IOMemoryEntry] = []
    for line in text.split(separator: "\n") {
        let indent = line.utf8.prefix { $0 == UInt8(ascii: " ") }.count
        let content = line.utf8.dropFirst(indent)
        guard let dash = content.firstIndex(of: UInt8(ascii: "-")),
            let space = content[dash...].firstIndex(of: UInt8(ascii: " ")),
            let first = parseHexadecimal(String(decoding: content[content.startIndex..<dash], as: UTF8.self)),
            let last = parseHexadecimal(String(decoding: content[content.index(after: dash)..<space], as: UTF8.self)),
            first <= last, last < UInt64.max, content[space...].starts(with: " : ".utf8)
        else { throw Failure("read", "/proc/iomem", "a line is malformed: \(line)") }
        let name = String(decoding: content[space...].dropFirst(3), as: UTF8.self)
        entries.append(IOMemoryEntry(addresses: first..<last + 1, name: name, depth: indent / 2))
    }
    if entries.allSatisfy({ $0.addresses.upperBound <= 1 }) {
        throw Failure("read", "/proc/iomem", "it hides its addresses", remedy: "run this as root")
    }
    return entries
}

/// The whole pages of System RAM in /proc/iomem.
public func systemMemory(_ entries: [IOMemoryEntry]) -> [AddressRange] {
    entries.filter { $0.name == "System RAM" && $0.depth == 0 }.map { $0.addresses }.wholePages
}

/// A range of the memory map that the firmware gave, as /sys/firmware/memmap has it (Documentation/ABI/testing/
/// sysfs-firmware-memmap): what `mem=` cuts from the kernel's own map is still in it.
public struct FirmwareMemoryRange: Equatable, Sendable {
    public var addresses: AddressRange
    public var type: String
    public init(addresses: AddressRange, type: String) {
        self.addresses = addresses
        self.type = type
    }
}

/// The firmware's memory map, ascending; nil where the kernel has none (CONFIG_FIRMWARE_MEMMAP).
public func readFirmwareMemoryMap(_ directory: String = "/sys/firmware/memmap") throws(Failure)
    -> [FirmwareMemoryRange]?
{
    guard exists(directory) else { return nil }
    var ranges: [FirmwareMemoryRange] = []
    for name in try listDirectory(directory) {
        let path = "\(directory)/\(name)"
        guard let start = parseNumber(trimmed(try readText("\(path)/start"))),
            let last = parseNumber(trimmed(try readText("\(path)/end"))), start <= last, last < UInt64.max
        else { throw Failure("read", path, "its bounds are malformed") }
        ranges.append(FirmwareMemoryRange(addresses: start..<last + 1, type: trimmed(try readText("\(path)/type"))))
    }
    return ranges.sorted { $0.addresses.lowerBound < $1.addresses.lowerBound }
}
