// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux

/// A position in the kernel's log, to read the messages after it.
public struct KernelLogPosition: ~Copyable {
    private let file: File

    /// The current end of the log; nil if the log cannot be read.
    public init?(_ path: String = "/dev/kmsg") {
        guard let file = try? File(path, [.readOnly, .nonBlocking]) else { return nil }
        guard lseek(file.descriptor, 0, SEEK_END) >= 0 else { return nil }
        self.file = file
    }

    /// The kernel's messages since then, oldest first, without those that the log has overwritten. At most `limit` messages.
    public borrowing func messages(limit: Int = 20_000) -> [String] {
        var messages = KernelMessages()
        var buffer = [UInt8](repeating: 0, count: 8192)
        while messages.texts.count < limit {
            let count = CLinux.read(file.descriptor, &buffer, buffer.count)
            // EPIPE: records were overwritten before they were read. The next read returns the oldest record that is left.
            if count < 0, torpor_errno() == EINTR || torpor_errno() == EPIPE { continue }
            guard count > 0 else { break }
            messages.add(record: String(decoding: buffer[..<count], as: UTF8.self))
        }
        return messages.texts
    }
}
