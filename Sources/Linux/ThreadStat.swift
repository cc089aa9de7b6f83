// SPDX-License-Identifier: Apache-2.0
import Basics

/// What /proc/PID/stat or /proc/PID/task/TID/stat says of a thread (proc_pid_stat(5)).
struct ThreadStat {
    /// Flags of a thread (6.12, include/linux/sched.h).
    private enum Flag {
        /// PF_KTHREAD: the thread is the kernel's.
        static let kernelThread: UInt64 = 0x0020_0000
        /// PF_NO_SETAFFINITY: the kernel refuses to move the thread to other CPUs.
        static let bound: UInt64 = 0x0400_0000
    }

    let name: [UInt8]
    /// The letter of the thread's state: `R`, `S`, `D`.
    let state: UInt8
    private let flags: UInt64

    var isKernelThread: Bool { flags & Flag.kernelThread != 0 }
    var isBound: Bool { flags & Flag.bound != 0 }

    /// - Parameter folder: the thread's folder in /proc.
    /// - Returns: nil if the thread has ended.
    init?(_ folder: String) {
        guard let line = try? readText("\(folder)/stat") else { return nil }
        // The name is in parentheses, and may contain parentheses.
        let bytes = Array(line.utf8)
        guard let open = bytes.firstIndex(of: UInt8(ascii: "(")), let close = bytes.lastIndex(of: UInt8(ascii: ")")),
            open < close
        else { return nil }
        // The state, then five numbers, then the flags.
        let fields = bytes[(close + 1)...].split(separator: UInt8(ascii: " "))
        guard fields.count > 6, fields[0].count == 1, let state = fields[0].first,
            let flags = parseNumber(String(decoding: fields[6], as: UTF8.self))
        else { return nil }
        name = Array(bytes[(open + 1)..<close])
        self.state = state
        self.flags = flags
    }
}
