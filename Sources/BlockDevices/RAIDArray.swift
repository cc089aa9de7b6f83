// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// An md RAID array in sysfs (Documentation/admin-guide/md.rst).
struct RAIDArray: Equatable, Sendable {
    struct Member: Equatable, Sendable {
        var place: DevicePlace
        /// Bytes of the member that the array uses.
        var byteCount: UInt64
    }

    /// `raid1`, `linear`, …
    var level: String
    /// The number of members of the complete array.
    var memberCount: UInt64
    /// The size of a chunk, in bytes.
    var chunk: UInt64
    /// The level's own number for the arrangement of its chunks.
    var layout: UInt64
    /// The members, in the order of their slots; nil for a missing one.
    var members: [Member?]

    /// The mapping of the array to its members.
    /// - Parameter byteCount: the size of the array.
    func parts(byteCount: UInt64) -> [DevicePart] {
        let present = members.compactMap { $0 }
        let places = present.map { $0.place }
        let isWhole = UInt64(present.count) == memberCount
        func whole(_ layout: DevicePart.Layout, until end: UInt64? = nil) -> [DevicePart] {
            let end = min(end ?? byteCount, byteCount)
            return [
                DevicePart(bytes: 0..<end, layout),
                DevicePart(bytes: end..<byteCount, .hidden("the members of its RAID array differ in size")),
            ]
        }
        func rows(_ chunks: UInt64, copies: UInt64 = 1, until end: UInt64? = nil) -> [DevicePart] {
            whole(.rows(chunk: chunk, chunks: chunks, copies: copies, places), until: end)
        }
        guard !places.isEmpty, memberCount > 0, memberCount < 1 << 16,
            chunk > 0 || level == "raid1" || level == "linear"
        else { return whole(.hidden("its RAID array is malformed")) }
        switch level {
        case "raid1": return whole(.copies(places))
        case "raid0" where isWhole:
            // Behind the end of the smallest member, the rows have fewer members.
            let smallest = present.map { $0.byteCount / chunk * chunk }.min() ?? 0
            let (even, overflow) = smallest.multipliedReportingOverflow(by: memberCount)
            return rows(memberCount, until: overflow ? nil : even)
        case "raid4" where memberCount > 1, "raid5" where memberCount > 1: return rows(memberCount - 1)
        case "raid6" where memberCount > 2: return rows(memberCount - 2)
        // The lowest byte of the layout is the number of near copies, the next byte that of far copies (drivers/md/raid10.c,
        // `setup_geo`).
        case "raid10" where layout >> 8 == 1 && layout & 0xff > 0: return rows(memberCount, copies: layout & 0xff)
        case "linear":
            guard let first = members.first, let first else { break }
            return whole(.copies([first.place]), until: first.byteCount)
        default: break
        }
        return whole(.hidden("the mapping of its RAID array (\(level)) is unknown"))
    }

    /// Reads an array.
    /// - Parameter folder: the array's folder in sysfs.
    /// - Throws: if it cannot be read, and if the array is being reshaped.
    init(_ folder: String, _ device: DeviceNumber) throws(Failure) {
        func number(_ name: String) -> UInt64? {
            (try? readText("\(folder)/md/\(name)")).flatMap { parseNumber($0.split(separator: " ").first ?? "") }
                ?? (try? readText("\(folder)/md/\(name)")).flatMap { parseNumber(trimmed($0)) }
        }
        level = trimmed(try readText("\(folder)/md/level"))
        chunk = number("chunk_size") ?? 0
        layout = number("layout") ?? 0
        memberCount = number("raid_disks") ?? 0
        members = []
        if let position = try? readText("\(folder)/md/reshape_position"), trimmed(position) != "none" {
            throw unmapped(device, "its RAID array is being reshaped")
        }
        for slot in 0..<min(memberCount, 1 << 12) {
            let member = "\(folder)/md/rd\(slot)"
            guard exists(member) else {
                members.append(nil)
                continue
            }
            guard let below = DeviceNumber(trimmed(try readText("\(member)/block/dev"))),
                let offset = byteCount(ofSectors: trimmed(try readText("\(member)/offset"))),
                let kibibytes = parseNumber(trimmed(try readText("\(member)/size"))), kibibytes < 1 << 50
            else { throw unmapped(device, "member \(slot) of its RAID array is malformed") }
            members.append(
                Member(place: DevicePlace(device: below, offset: offset), byteCount: kibibytes * 1024))
        }
    }

    init(level: String, memberCount: UInt64, chunk: UInt64, layout: UInt64, members: [Member?]) {
        self.level = level
        self.memberCount = memberCount
        self.chunk = chunk
        self.layout = layout
        self.members = members
    }
}
