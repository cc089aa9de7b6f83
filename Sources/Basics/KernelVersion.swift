// SPDX-License-Identifier: Apache-2.0

/// The version of a Linux kernel: the first three numbers of its release.
public struct KernelVersion: Comparable, Sendable {
    public var major, minor, patch: UInt64

    public init(_ major: UInt64, _ minor: UInt64, _ patch: UInt64 = 0) {
        self.major = major
        self.minor = minor
        self.patch = patch
    }

    /// - Parameter release: the release as uname(2) reports it, with the distribution's suffix: `6.12.117-amd64`, `7.1-rc3`.
    /// - Returns: nil for a text that does not begin with two numbers.
    public init?(release: String) {
        var numbers: [UInt64] = []
        for part in release.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false) {
            let digits = part.utf8.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            guard let number = parseNumber(String(decoding: digits, as: UTF8.self)) else { break }
            numbers.append(number)
            if digits.count < part.utf8.count { break }
        }
        guard numbers.count >= 2 else { return nil }
        self.init(numbers[0], numbers[1], numbers.count > 2 ? numbers[2] : 0)
    }

    public static func < (left: KernelVersion, right: KernelVersion) -> Bool {
        (left.major, left.minor, left.patch) < (right.major, right.minor, right.patch)
    }
}
