// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// A line of /proc/iomem: a range of physical addresses and its name. A nested range is within the range above it.
public struct IOMemoryEntry: Equatable, Sendable {
    public var addresses: PhysicalRange
    public var name: String
    /// The level of nesting; 0 for a top-level line.
    public var depth: Int

    public init(addresses: PhysicalRange, name: String, depth: Int) {
        self.addresses = addresses
        self.name = name
        self.depth = depth
    }
}

/// Parses the lines of /proc/iomem (6.12, kernel/resource.c, `r_show`): inclusive hexadecimal bounds, indented by two spaces
/// for each level.
/// - Throws: if a line is malformed, and if all addresses are zero: the kernel hides them from users other than root.
public func parseIOMemory(_ lines: [some StringProtocol]) throws(Failure) -> [IOMemoryEntry] {
    var entries: [IOMemoryEntry] = []
    for line in lines where !line.utf8.isEmpty {
        let indent = line.utf8.prefix { $0 == UInt8(ascii: " ") }.count
        let content = line.utf8.dropFirst(indent)
        guard let dash = content.firstIndex(of: UInt8(ascii: "-")),
            let space = content[dash...].firstIndex(of: UInt8(ascii: " ")),
            let first = parseHexadecimal(String(decoding: content[content.startIndex..<dash], as: UTF8.self)),
            let last = parseHexadecimal(String(decoding: content[content.index(after: dash)..<space], as: UTF8.self)),
            first <= last, last < UInt64.max, content[space...].starts(with: " : ".utf8)
        else { throw Failure("read", "/proc/iomem", "a line is malformed: \(String(line))") }
        let name = String(decoding: content[space...].dropFirst(3), as: UTF8.self)
        entries.append(IOMemoryEntry(addresses: first..<last + 1, name: name, depth: indent / 2))
    }
    if entries.allSatisfy({ $0.addresses.upperBound <= 1 }) {
        throw Failure("read", "/proc/iomem", "all its addresses are zero", remedy: "run this as root")
    }
    return entries
}

/// Parses the text of /proc/iomem.
public func parseIOMemory(_ text: String) throws(Failure) -> [IOMemoryEntry] {
    try parseIOMemory(text.split(separator: "\n"))
}

/// Reads the running kernel's /proc/iomem.
public func readIOMemory() throws(Failure) -> [IOMemoryEntry] { try parseIOMemory(lines(of: "/proc/iomem")) }

extension IOMemoryEntry {
    /// Whether the kernel's allocator manages this memory: RAM of the firmware's map, hot-plugged memory, and memory that a
    /// driver added, such as `System RAM (kmem)` (6.12, mm/memory_hotplug.c, `add_memory_driver_managed`).
    public var isSystemMemory: Bool { name == "System RAM" || isDriverMemory }

    /// Whether a driver added this memory. After a boot, only that driver can add it again.
    public var isDriverMemory: Bool { name.utf8.starts(with: "System RAM (".utf8) }
}

/// The whole pages of System RAM in /proc/iomem, at any depth: it may be nested, in a `CXL Window` for example.
public func systemMemory(_ entries: [IOMemoryEntry]) -> [PhysicalRange] {
    entries.filter { $0.isSystemMemory }.map { $0.addresses }.wholePages
}

/// The firmware's memory map, ascending; nil if the kernel does not show it (CONFIG_FIRMWARE_MEMMAP).
public func readFirmwareMemoryMap(_ directory: String = "/sys/firmware/memmap") throws(Failure)
    -> [FirmwareRange]?
{
    guard exists(directory) else { return nil }
    var ranges: [FirmwareRange] = []
    for name in try listDirectory(directory) {
        let path = "\(directory)/\(name)"
        guard let start = parseNumber(trimmed(try readText("\(path)/start"))),
            let last = parseNumber(trimmed(try readText("\(path)/end"))), start <= last, last < UInt64.max
        else { throw Failure("read", path, "its bounds are malformed") }
        ranges.append(FirmwareRange(addresses: start..<last + 1, type: trimmed(try readText("\(path)/type"))))
    }
    return ranges.sorted { $0.addresses.lowerBound < $1.addresses.lowerBound }
}

extension Array where Element == FirmwareRange {
    /// The map without some addresses. Adjacent ranges of one type become one.
    public func without(_ addresses: [PhysicalRange]) -> [FirmwareRange] {
        var result: [FirmwareRange] = []
        for range in self {
            for part in [range.addresses].subtracting(addresses) {
                if let last = result.last, last.type == range.type, last.addresses.upperBound == part.lowerBound {
                    result[result.count - 1].addresses = last.addresses.lowerBound..<part.upperBound
                } else {
                    result.append(FirmwareRange(addresses: part, type: range.type))
                }
            }
        }
        return result
    }
}
