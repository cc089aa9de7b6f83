import Basics
import CLinux

/// A file system that is mounted from a block device, or swap space on one.
public struct BlockDeviceUse: Equatable, Sendable {
    /// For messages: `the ext4 on /srv`, `the swap space /dev/vdb2`.
    public var description: String
    public var device: DeviceNumber
}

/// A block device's number, written as in /sys/dev/block: `254:1`.
public struct DeviceNumber: Hashable, Sendable, CustomStringConvertible {
    public var major: UInt32
    public var minor: UInt32

    public init(major: UInt32, minor: UInt32) {
        self.major = major
        self.minor = minor
    }

    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let major = parseNumber(parts[0]).flatMap({ UInt32(exactly: $0) }),
            let minor = parseNumber(parts[1]).flatMap({ UInt32(exactly: $0) })
        else { return nil }
        self.init(major: major, minor: minor)
    }

    /// The number of the block device at a path; nil where there is none.
    public init?(path: String) {
        var status = stat()
        guard stat(path, &status) == 0, torpor_is_block_device(status.st_mode) != 0 else { return nil }
        self.init(major: torpor_major(status.st_rdev), minor: torpor_minor(status.st_rdev))
    }

    public var description: String { "\(major):\(minor)" }
}

/// The block devices that this system uses, each once, with the first of what uses it.
public func blockDeviceUses() throws(Failure) -> [BlockDeviceUse] {
    var uses = mountedDevices(try lines(of: "/proc/self/mountinfo").joined(separator: "\n")) { DeviceNumber(path: $0) }
    if let swaps = try? readText("/proc/swaps") { uses += swapDevices(swaps) { DeviceNumber(path: $0) } }
    var seen: Set<DeviceNumber> = []
    return uses.filter { seen.insert($0.device).inserted }
}

/// The file systems on block devices in /proc/self/mountinfo (proc_pid_mountinfo(5)), read-only ones too.
/// - Parameter lookUp: the device at a path: Btrfs shows a number of its own, with the major number 0, and its device by
///   its path.
func mountedDevices(_ table: String, _ lookUp: (String) -> DeviceNumber?) -> [BlockDeviceUse] {
    table.split(separator: "\n").compactMap { line in
        let fields = line.split(separator: " ")
        guard fields.count > 6, let separator = fields.firstIndex(of: "-"), separator + 2 < fields.count,
            let number = DeviceNumber(fields[2])
        else { return nil }
        let description = "the \(fields[separator + 1]) on \(unescaped(fields[4]))"
        if number.major != 0 { return BlockDeviceUse(description: description, device: number) }
        let source = unescaped(fields[separator + 2])
        guard source.utf8.starts(with: "/dev/".utf8), let device = lookUp(source) else { return nil }
        return BlockDeviceUse(description: description, device: device)
    }
}

/// The block devices in /proc/swaps; swap files lie on file systems that are mounted.
func swapDevices(_ table: String, _ lookUp: (String) -> DeviceNumber?) -> [BlockDeviceUse] {
    table.split(separator: "\n").dropFirst().compactMap { line in
        let fields = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
        guard fields.count > 1, fields[1] == "partition", let device = lookUp(unescaped(fields[0])) else { return nil }
        return BlockDeviceUse(description: "the swap space \(fields[0])", device: device)
    }
}

/// A path in which the kernel has written spaces, tabs, line feeds and backslashes as `\040` and so on.
private func unescaped(_ text: some StringProtocol) -> String {
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
