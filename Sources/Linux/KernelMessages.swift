// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux

/// What the running kernel has written to its log, as far as that still has it.
public struct KernelMessages: Equatable, Sendable {
    /// The texts of the kernel's own records, oldest first.
    public private(set) var texts: [String] = []
    /// Whether the log still begins where the kernel began: its first record has the number 0.
    public private(set) var isComplete = false

    public init() {}

    /// Adds a record of /dev/kmsg: `PRIORITY,NUMBER,MICROSECONDS,FLAGS[,…];TEXT`, then lines with more about it
    /// (Documentation/ABI/testing/dev-kmsg, Linux 6.12). Records that are malformed, or that programs wrote, are left out.
    public mutating func add(record: String) {
        let parts = record.split(separator: ";", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return }
        let fields = parts[0].split(separator: ",")
        guard fields.count >= 3, let priority = parseNumber(fields[0]), let number = parseNumber(fields[1]) else {
            return
        }
        if number == 0 { isComplete = true }
        // The facility is above the three bits of the level; 0 is the kernel, which no program can write as.
        guard priority >> 3 == 0 else { return }
        texts.append(String(parts[1].split(separator: "\n", omittingEmptySubsequences: false).first ?? ""))
    }

    /// Reads the log.
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
            // EPIPE: records were overwritten meanwhile, and the next one is read.
            case EPIPE, EINTR: continue
            default: throw Failure(lastError: "read", path)
            }
        }
    }
}
