// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux
import Linux

/// A line of /proc/PID/mountinfo (proc_pid_mountinfo(5)).
public struct MountEntry: Equatable, Sendable {
    public var identifier: UInt64
    public var parent: UInt64
    public var device: DeviceNumber
    /// The folder of the file system that is mounted at the target.
    public var root: String
    public var target: String
    /// The options of this mount: `rw`, `nosuid`, …
    public var options: [String]
    /// `shared:1`, `master:2`, …
    public var propagation: [String]
    public var type: String
    public var source: String
    /// The options of the file system.
    public var fileSystemOptions: [String]

    /// The mount's name for messages: `the ext4 file system on /srv`.
    public var user: String { "the \(type) file system on \(target)" }
    /// Whether the file system itself is read-only. A read-only mount of a writable file system does not count.
    public var isReadOnly: Bool { fileSystemOptions.first == "ro" }

    /// Parses a line; nil if it is malformed.
    public init?(_ line: some StringProtocol) {
        let fields = line.split(separator: " ").map { String($0) }
        guard fields.count > 6, let separator = fields[6...].firstIndex(of: "-"), separator + 2 < fields.count,
            let identifier = parseNumber(fields[0]), let parent = parseNumber(fields[1]),
            let device = DeviceNumber(fields[2])
        else { return nil }
        self.identifier = identifier
        self.parent = parent
        self.device = device
        root = unescaped(fields[3])
        target = unescaped(fields[4])
        options = fields[5].split(separator: ",").map { String($0) }
        propagation = Array(fields[6..<separator])
        type = fields[separator + 1]
        source = unescaped(fields[separator + 2])
        let last = separator + 3 < fields.count ? fields[separator + 3] : ""
        fileSystemOptions = last.split(separator: ",").map { unescaped($0) }
    }
}

/// The mounts in the text of /proc/PID/mountinfo.
public func mountEntries(_ table: String) -> [MountEntry] {
    table.split(separator: "\n").compactMap { MountEntry($0) }
}

/// A swap space on a block device, from /proc/swaps.
public struct SwapEntry: Equatable, Sendable {
    public var path: String
    /// Whether pages are swapped out to it.
    public var isUsed: Bool
}

/// The swap devices in the text of /proc/swaps, without swap files: those are on file systems that are mounted themselves.
public func swapEntries(_ table: String) -> [SwapEntry] {
    table.split(separator: "\n").dropFirst().compactMap { line in
        let fields = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
        guard fields.count > 3, fields[1].utf8.elementsEqual("partition".utf8) else { return nil }
        return SwapEntry(path: unescaped(fields[0]), isUsed: parseNumber(fields[3]).map { $0 > 0 } ?? true)
    }
}

/// Text of /proc with its octal escapes decoded: `\040` is a space.
func unescaped(_ text: some StringProtocol) -> String {
    let characters = Array(text.utf8)
    var result: [UInt8] = []
    var i = 0
    while i < characters.count {
        if characters[i] == UInt8(ascii: "\\"), i + 3 < characters.count {
            let digits = characters[i + 1...i + 3].map { UInt16($0) &- UInt16(UInt8(ascii: "0")) }
            let value = digits[0] &* 64 &+ digits[1] &* 8 &+ digits[2]
            if digits.allSatisfy({ $0 < 8 }), value < 256 {
                result.append(UInt8(value))
                i += 4
                continue
            }
        }
        result.append(characters[i])
        i += 1
    }
    return String(decoding: result, as: UTF8.self)
}
