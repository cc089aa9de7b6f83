// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux

/// The number after a name in a table such as /proc/meminfo (`MemFree:  123 kB`) or /proc/vmstat (`nr_free_pages 123`); nil if
/// the table has no such line.
public func number(_ name: String, in table: String) -> UInt64? {
    for line in table.split(separator: "\n") where line.utf8.starts(with: name.utf8) {
        let words = line.split(whereSeparator: { $0 == " " || $0 == ":" || $0 == "\t" })
        if words.count > 1, words[0].utf8.elementsEqual(name.utf8) { return parseNumber(words[1]) }
    }
    return nil
}

/// The value after a name and a colon in a table such as /proc/PID/status (`Cpus_allowed:  f`), without the spaces around it;
/// nil if the table has no such line.
func value(_ name: String, in table: String) -> String? {
    for line in table.split(separator: "\n") {
        guard let colon = line.utf8.firstIndex(of: UInt8(ascii: ":")), line[..<colon].utf8.elementsEqual(name.utf8)
        else { continue }
        let value = line[colon...].dropFirst().drop { $0 == " " || $0 == "\t" }
        return trimmed(String(value))
    }
    return nil
}

/// Counts the free pages on per-CPU lists (pcplists), of one CPU or of all. /proc/zoneinfo lists them for each zone: `cpu: 0`,
/// then `count: 63` (6.12, mm/vmstat.c, `zoneinfo_show_print`).
public struct PerCPUListCount {
    public private(set) var sum: UInt64 = 0
    private let processor: UInt64?
    private var current: UInt64?

    /// - Parameter processor: the number of the CPU; nil for all CPUs.
    public init(_ processor: UInt64? = nil) { self.processor = processor }

    /// Reads the next line of the file.
    public mutating func take(_ line: some StringProtocol) {
        let words = line.split(whereSeparator: { $0 == " " || $0 == ":" })
        guard words.count > 1, let number = parseNumber(words[1]) else { return }
        if words[0].utf8.elementsEqual("cpu".utf8) {
            current = number
        } else if words[0].utf8.elementsEqual("count".utf8), processor == nil || processor == current {
            sum = sum &+ number
        }
    }
}

/// The free pages on per-CPU lists, from the text of /proc/zoneinfo.
public func pagesOnPerCPULists(of processor: UInt64? = nil, inZoneInfo table: String) -> UInt64 {
    var count = PerCPUListCount(processor)
    for line in table.split(separator: "\n") { count.take(line) }
    return count.sum
}

/// A value of /proc/meminfo, in bytes.
public func memoryInformation(_ name: String) throws(Failure) -> UInt64 { try byteCount(name, in: "/proc/meminfo") }

/// Gives the kernel back what the C library keeps of freed memory. The corresponding C function is `malloc_trim`.
public func releaseFreeMemory() { torpor_release_free_memory() }

/// The peak of this process's resident memory, in bytes, without mapped devices (`VmHWM`).
public func peakMemory() throws(Failure) -> UInt64 { try byteCount("VmHWM", in: "/proc/self/status") }

private func byteCount(_ name: String, in path: String) throws(Failure) -> UInt64 {
    try byteCount(name, in: try readText(path), of: path)
}

/// A field of a table, which counts in KiB, in bytes: at most 2^60.
func byteCount(_ name: String, in text: String, of path: String) throws(Failure) -> UInt64 {
    guard let kibibytes = number(name, in: text), kibibytes < 1 << 50 else {
        throw Failure("read", path, "it has no \(name)")
    }
    return kibibytes * 1024
}
