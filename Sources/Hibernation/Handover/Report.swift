// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import MemoryImage
import PhysicalMemory

/// How a hibernation went, as kernels B and C tell it to kernel A, in a page of A's memory.
public struct Report: Equatable, Sendable {
    public enum Outcome: UInt32, Sendable {
        /// Nobody has written a report.
        case none = 0
        /// The memory was not saved; kernel B jumped back.
        case failed = 1
        /// The memory was saved as a snapshot; kernel B jumped back.
        case snapshot = 2
        /// The machine was off, and kernel C put the memory back.
        case resumed = 3
    }

    public var outcome = Outcome.none
    /// What was saved, and in what time.
    public var counts = ImageCounts()
    /// Milliseconds that putting it back took; 0 where that did not happen.
    public var restoreMilliseconds: UInt64 = 0
    /// The byte at which the contents of the hibernation partition end, if saving failed; 0 if that is not known.
    public var contentsEnd: UInt64 = 0
    /// Why, where it failed.
    public var text = ""
    /// The path of the hibernation partition, as kernel A knows it; not in the page.
    public var device = ""

    public init() {}

    public static let keyByteCount = 32
    static let textLimit = 1024

    /// The bytes that follow the key in the page.
    func encoded() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 64 + Report.textLimit)
        bytes.put(outcome.rawValue, at: 0)
        bytes.put(counts.chunks, at: 8)
        bytes.put(counts.dataPages, at: 16)
        bytes.put(counts.zeroPages, at: 24)
        bytes.put(counts.storedBytes, at: 32)
        bytes.put(counts.milliseconds, at: 40)
        bytes.put(restoreMilliseconds, at: 48)
        bytes.put(contentsEnd, at: 56)
        bytes.put(text: text, at: 64, limit: Report.textLimit)
        return bytes
    }

    init(decoding bytes: [UInt8]) throws(Failure) {
        let fields = bytes.span.bytes
        outcome = Outcome(rawValue: try fields.integer(at: 0)) ?? .none
        counts.chunks = try fields.integer(at: 8)
        counts.dataPages = try fields.integer(at: 16)
        counts.zeroPages = try fields.integer(at: 24)
        counts.storedBytes = try fields.integer(at: 32)
        counts.milliseconds = try fields.integer(at: 40)
        restoreMilliseconds = try fields.integer(at: 48)
        contentsEnd = try fields.integer(at: 56)
        text = try fields.text(at: 64, count: Report.textLimit)
    }

    /// Writes the report into kernel A's memory, from kernel B, or from kernel C after that memory is back in place.
    /// - Throws: where the page does not begin with the key; nothing is written then.
    func deliver(into description: ImageDescription) throws(Failure) {
        guard description.reportAddress != 0 else { throw Place.missing("kernel A named none") }
        let map = BackupPageMap(sources: description.backupSources)
        let saved = description.savedRanges
        guard description.reportAddress % pageSize == 0, description.reportAddress < 1 << 52,
            let address = map.location(of: description.reportAddress, backupRanges: description.backupRanges),
            saved.covers(address..<address + pageSize)
        else { throw Place.missing("it is not in kernel A's saved memory") }
        try deliver(to: Place(address: address, key: description.reportKey))
    }

    /// Writes the report to a page where it lies now.
    /// - Throws: as above, and where the page is not one that the running kernel leaves alone.
    func deliver(to place: Place) throws(Failure) {
        guard place.key.count == Report.keyByteCount else { throw Place.missing("kernel A gave it no key") }
        let page = try MemoryDevice().map(place.address..<place.address + pageSize)
        guard page.bytes.prefix(Report.keyByteCount).elementsEqual(place.key) else {
            throw Place.missing("its key is not there")
        }
        UnsafeMutableRawBufferPointer(rebasing: page.bytes[Report.keyByteCount...]).copyBytes(from: encoded())
    }

    /// The page that takes a report, as the word `torpor.report=` names it: `ADDRESS:KEY`, both hexadecimal.
    public struct Place: Equatable, Sendable, CustomStringConvertible {
        /// Physical address, of a whole page.
        var address: UInt64
        /// What the page begins with.
        var key: [UInt8]

        init(address: UInt64, key: [UInt8]) {
            self.address = address
            self.key = key
        }

        /// nil for what names no page.
        init?(_ text: String) {
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 2, let address = parseNumber(parts[0]), address % pageSize == 0, address < 1 << 52,
                parts[1].utf8.count == 2 * Report.keyByteCount
            else { return nil }
            let digits = Array(parts[1].utf8)
            var key: [UInt8] = []
            for number in 0..<Report.keyByteCount {
                let pair = String(decoding: digits[2 * number..<2 * number + 2], as: UTF8.self)
                guard let byte = parseHexadecimal(pair) else { return nil }
                key.append(UInt8(truncatingIfNeeded: byte))
            }
            self.init(address: address, key: key)
        }

        public var description: String {
            "0x\(hexadecimal(address)):" + key.map { hexadecimal(UInt64($0), digits: 2) }.joined()
        }

        fileprivate static func missing(_ reason: String) -> Failure { Failure("find", "the report's page", reason) }
    }
}
