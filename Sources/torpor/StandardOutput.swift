// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux
import Linux
import Synchronization

/// What a program prints. Each text is written at once, not gathered by stdio: stdio forgets why it could not write.
final class StandardOutput: Sendable {
    static let shared = StandardOutput()

    private let failure = Mutex<Failure?>(nil)

    /// Writes text. After a failure nothing more is written; `finish` tells it.
    func write(_ text: String) {
        failure.withLock { failure in
            var text = text
            text.withUTF8 { bytes in
                var done = 0
                while failure == nil, done < bytes.count {
                    let count = CLinux.write(1, bytes.baseAddress?.advanced(by: done), bytes.count - done)
                    if count >= 0 {
                        done += count
                    } else if torpor_errno() != EINTR {
                        failure = Failure(lastError: "write to", "standard output")
                    }
                }
            }
        }
    }

    /// - Throws: why something that was printed did not arrive.
    func finish() throws(Failure) {
        if let failure = failure.withLock({ $0 }) { throw failure }
    }
}
