// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux

/// The number of a block device, printed as in /sys/dev/block: `254:1`.
public struct DeviceNumber: Hashable, Sendable, CustomStringConvertible {
    public var major: UInt32
    public var minor: UInt32

    public init(major: UInt32, minor: UInt32) {
        self.major = major
        self.minor = minor
    }

    /// Parses the printed form; nil for anything else.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let major = parseNumber(parts[0]).flatMap({ UInt32(exactly: $0) }),
            let minor = parseNumber(parts[1]).flatMap({ UInt32(exactly: $0) })
        else { return nil }
        self.init(major: major, minor: minor)
    }

    /// The number of the block device at a path; nil if the path does not lead to one.
    public init?(path: String) {
        var status = stat()
        guard stat(path, &status) == 0, torpor_is_block_device(status.st_mode) != 0 else { return nil }
        self.init(major: torpor_major(status.st_rdev), minor: torpor_minor(status.st_rdev))
    }

    public var description: String { "\(major):\(minor)" }
}
