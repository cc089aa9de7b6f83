// SPDX-License-Identifier: Apache-2.0
import Basics

/// The number in the line of a table that begins with a name, as /proc/meminfo (`MemFree:  123 kB`) and /proc/vmstat
/// (`nr_free_pages 123`) have it; nil where there is none.
public func number(_ name: String, in table: String) -> UInt64? {
    for line in table.split(separator: "\n") where line.utf8.starts(with: name.utf8) {
        let words = line.split(whereSeparator: { $0 == " " || $0 == ":" || $0 == "\t" })
        if words.count > 1, words[0].utf8.elementsEqual(name.utf8) { return parseNumber(words[1]) }
    }
    return nil
}

/// Free pages that the kernel keeps for one CPU, or for all, as /proc/zoneinfo has them for each zone: `cpu: 0`, and below
/// it `count: 63` (6.12, mm/vmstat.c, `zoneinfo_show_print`).
public struct PerCPUListCount {
    public private(set) var sum: UInt64 = 0
    private let processor: UInt64?
    private var current: UInt64?

    /// - Parameter processor: whose pages are counted; nil for all.
    public init(_ processor: UInt64? = nil) { self.processor = processor }

    /// Takes in the next line of the file.
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

/// The count in the text of /proc/zoneinfo.
public func pagesOnPerCPULists(of processor: UInt64? = nil, inZoneInfo table: String) -> UInt64 {
    var count = PerCPUListCount(processor)
    for line in table.split(separator: "\n") { count.take(line) }
    return count.sum
}

/// Bytes that a line of /proc/meminfo tells.
public func memoryInformation(_ name: String) throws(Failure) -> UInt64 { try byteCount(name, in: "/proc/meminfo") }

/// The most bytes of memory that this process has had at once, mapped devices not counted (`VmHWM`).
public func peakMemory() throws(Failure) -> UInt64 { try byteCount("VmHWM", in: "/proc/self/status") }

private func byteCount(_ name: String, in path: String) throws(Failure) -> UInt64 {
    guard let kibibytes = number(name, in: try readText(path)), kibibytes < 1 << 50 else {
        throw Failure("read", path, "it has no \(name)")
    }
    return kibibytes * 1024
}
