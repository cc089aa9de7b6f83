// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux

/// A place in the kernel's log, from which on it is read.
public struct KernelLogPosition: ~Copyable {
    private let file: File

    /// Notes where the log ends now; nil if it cannot be read.
    public init?(_ path: String = "/dev/kmsg") {
        guard let file = try? File(path, [.readOnly, .nonBlocking]) else { return nil }
        guard lseek(file.descriptor, 0, SEEK_END) >= 0 else { return nil }
        self.file = file
    }

    /// What the kernel has logged since, oldest first, as far as the log still has it.
    public borrowing func messages(limit: Int = 20_000) -> [String] {
        var messages = KernelMessages()
        var buffer = [UInt8](repeating: 0, count: 8192)
        while messages.texts.count < limit {
            let count = CLinux.read(file.descriptor, &buffer, buffer.count)
            // EPIPE: records were overwritten before they could be read; the next one is there.
            if count < 0, torpor_errno() == EINTR || torpor_errno() == EPIPE { continue }
            guard count > 0 else { break }
            messages.add(record: String(decoding: buffer[..<count], as: UTF8.self))
        }
        return messages.texts
    }
}
