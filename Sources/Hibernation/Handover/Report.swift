// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import MemoryImage
import PhysicalMemory

/// The result of a hibernation, which kernel B or C writes into a page of kernel A's memory.
public struct Report: Equatable, Sendable {
    public enum Outcome: UInt32, Sendable {
        /// Nobody has written a report.
        case none = 0
        /// The memory was not saved; kernel B jumped back.
        case failed = 1
        /// The memory was saved as a snapshot; kernel B jumped back.
        case snapshot = 2
        /// The machine was off; kernel C restored the memory.
        case resumed = 3
        /// Kernel B did everything but writing; it jumped back.
        case rehearsed = 4
    }

    public var outcome = Outcome.none
    /// Pages and bytes that were saved, and the time that it took; in a rehearsal, what would be saved, and the time without
    /// the disk.
    public var counts = ImageCounts()
    /// Milliseconds that the restore took; 0 if there was none.
    public var restoreMilliseconds: UInt64 = 0
    /// The byte offset at which the hibernation partition's contents end, if saving failed; 0 if unknown.
    public var contentsEnd: UInt64 = 0
    /// Milliseconds from the start of kernel B until it began to save the pages; 0 if unknown.
    public var startMilliseconds: UInt64 = 0
    /// The reason, if it failed.
    public var text = ""
    /// The path of the hibernation partition in kernel A; not in the page.
    public var device = ""
    /// Milliseconds from the call of `Hibernate.run` to the jump; not in the page.
    public var preparationMilliseconds: UInt64 = 0

    public init() {}

    public static let keyByteCount = 32
    static let textLimit = 1024

    /// The fields behind the key.
    private mutating func fields<Coder: FieldCoder>(_ coder: inout Coder) throws(Coder.Refusal) {
        try coder.value(&outcome, at: 0, { $0.rawValue }, { Outcome(rawValue: $0) ?? Outcome.none }, "")
        try counts.fields(&coder, at: 8)
        try coder.integer(&restoreMilliseconds, at: 48)
        try coder.integer(&contentsEnd, at: 56)
        try coder.text(&text, at: 64, count: Report.textLimit)
        try coder.integer(&startMilliseconds, at: 64 + Report.textLimit)
    }

    /// The bytes that follow the key in the page.
    func encoded() -> [UInt8] {
        var copy = self
        var writer = FieldWriter(byteCount: 0)
        copy.fields(&writer)
        return writer.bytes
    }

    init(decoding bytes: [UInt8]) throws(Failure) {
        var reader = FieldReader(bytes, of: "the report")
        try fields(&reader)
    }

    /// Writes the report into kernel A's memory: in kernel B, or in kernel C after that memory has been restored.
    /// - Throws: if the page does not begin with the key; nothing is written then.
    func deliver(into description: ImageDescription) throws(Failure) {
        guard description.reportAddress != 0 else { throw Place.missing("kernel A gave no address") }
        let map = BackupPageMap(sources: description.backupSources)
        let saved = description.savedRanges
        guard description.reportAddress % pageSize == 0, description.reportAddress < 1 << 52,
            let address = map.location(of: description.reportAddress, backupRanges: description.backupRanges),
            saved.covers(address..<address + pageSize)
        else { throw Place.missing("its address is not in kernel A's saved memory") }
        try deliver(to: Place(address: address, key: description.reportKey))
    }

    /// Writes the report to a page at its present address.
    /// - Throws: as above, and if the running kernel uses the page itself.
    func deliver(to place: Place) throws(Failure) {
        guard place.key.count == Report.keyByteCount else { throw Place.missing("kernel A gave no key") }
        let page = try MemoryDevice().map(place.address..<place.address + pageSize)
        guard page.bytes.prefix(Report.keyByteCount).elementsEqual(place.key) else {
            throw Place.missing("the page does not begin with its key")
        }
        UnsafeMutableRawBufferPointer(rebasing: page.bytes[Report.keyByteCount...]).copyBytes(from: encoded())
    }

    /// The address and key of the report page, as `torpor.report=` has them: `ADDRESS:KEY`, both hexadecimal.
    public struct Place: Equatable, Sendable, CustomStringConvertible {
        /// Physical address of the page.
        var address: UInt64
        /// The random bytes at the beginning of the page.
        var key: [UInt8]

        init(address: UInt64, key: [UInt8]) {
            self.address = address
            self.key = key
        }

        /// nil if the text is not an address of a page and a key.
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

        fileprivate static func missing(_ reason: String) -> Failure { Failure("find", "the report page", reason) }
    }
}
