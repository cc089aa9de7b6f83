// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux
import Linux

/// The paths of all block devices in /sys/class/block whose size is not 0, partitions included.
public func blockDevicePaths() throws(Failure) -> [String] {
    var paths: [String] = []
    for name in try listDirectory("/sys/class/block") {
        // A device may disappear while it is read.
        guard let text = try? readSize(name), text > 0 else { continue }
        // sysfs has `!` for a `/` in the name under /dev.
        let path = String(
            decoding: Array("/dev/\(name)".utf8).map { $0 == UInt8(ascii: "!") ? UInt8(ascii: "/") : $0 }, as: UTF8.self
        )
        if exists(path) { paths.append(path) }
    }
    return paths
}

private func readSize(_ name: String) throws(Failure) -> UInt64 {
    parseNumber(trimmed(try readText("/sys/class/block/\(name)/size"))) ?? 0
}
