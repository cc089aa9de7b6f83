// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux

/// The running kernel's own messages, without those that the log has overwritten.
public struct KernelMessages: Equatable, Sendable {
    /// The texts of the records that the kernel wrote, oldest first.
    public private(set) var texts: [String] = []
    /// Whether the log still has its first record, the one with sequence number 0.
    public private(set) var isComplete = false

    public init() {}

    /// Adds a record of /dev/kmsg: `PRIORITY,NUMBER,MICROSECONDS,FLAGS[,…];TEXT`, then continuation lines with key-value pairs
    /// (6.12, Documentation/ABI/testing/dev-kmsg). Malformed records and records that programs wrote are left out.
    public mutating func add(record: String) {
        let parts = record.split(separator: ";", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return }
        let fields = parts[0].split(separator: ",")
        guard fields.count >= 3, let priority = parseNumber(fields[0]), let number = parseNumber(fields[1]) else {
            return
        }
        if number == 0 { isComplete = true }
        // The facility is above the three bits of the level. Facility 0 is the kernel; programs cannot use it.
        guard priority >> 3 == 0 else { return }
        texts.append(String(parts[1].split(separator: "\n", omittingEmptySubsequences: false).first ?? ""))
    }

    /// Reads the whole log.
    public static func read(_ path: String = "/dev/kmsg") throws(Failure) -> KernelMessages {
        let file = try File(path, .nonBlocking)
        var messages = KernelMessages()
        var buffer = [UInt8](repeating: 0, count: 8192)
        while true {
            let count = buffer.withUnsafeMutableBytes { CLinux.read(file.descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                messages.add(record: String(decoding: buffer.prefix(count), as: UTF8.self))
                continue
            }
            if count == 0 { return messages }
            switch torpor_errno() {
            case EAGAIN: return messages
            // EPIPE: records were overwritten before they were read. The next read returns the oldest record that is left.
            case EPIPE, EINTR: continue
            default: throw Failure(lastError: "read", path)
            }
        }
    }
}
