// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux
import Linux

/// The reason why opening a block device fails with EBUSY, as a phrase for a message: `it is mounted on /srv`.
public func holder(of path: String) -> String {
    var status = stat()
    guard stat(path, &status) == 0 else { return "another program or device holds it" }
    let number = "\(torpor_major(status.st_rdev)):\(torpor_minor(status.st_rdev))"
    if let table = try? lines(of: "/proc/self/mountinfo").joined(separator: "\n") {
        for line in table.split(separator: "\n") {
            let fields = line.split(separator: " ")
            if fields.count > 4, String(fields[2]) == number { return "it is mounted on \(fields[4])" }
        }
    }
    if let swaps = try? readText("/proc/swaps") {
        for line in swaps.split(separator: "\n").dropFirst() {
            guard let name = line.split(separator: " ").first else { continue }
            var other = stat()
            if stat(String(name), &other) == 0, other.st_rdev == status.st_rdev { return "it is in use as swap" }
        }
    }
    if let holders = try? listDirectory("/sys/dev/block/\(number)/holders"), let first = holders.first {
        return "the block device \(first) holds it"
    }
    return "another program or device holds it"
}
