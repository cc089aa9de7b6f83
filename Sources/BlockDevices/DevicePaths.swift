// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux
import Linux

/// The paths of all block devices that have a size, partitions included: /sys/class/block.
public func blockDevicePaths() throws(Failure) -> [String] {
    var paths: [String] = []
    for name in try listDirectory("/sys/class/block") {
        // A device that vanishes while we look at it is no failure.
        guard let text = try? readSize(name), text > 0 else { continue }
        // sysfs writes `!` where the name under /dev has `/`.
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
